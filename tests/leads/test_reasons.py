"""Reasons of a verdict: what is quoted is looked for, told to the model once, kept, and shown where it stands."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from leadagent.leads.models import Lead, QuotedReason, WorkflowRun
from leadagent.leads.running.qualify import qualify
from leadagent.leads.running.reasons import QUOTE_LIMIT
from leadagent.tenants.models import Membership
from tests.leads.conftest import VERDICT, FakeProvider
from tests.leads.factories import LeadFactory, draft_under_review, run_for

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
REPORT = "## Need\n\nThey want **400 licences** from March [1]. There is a budget for it this quarter [2, 3]."


def verdict(*reasons: tuple[str, str, str]) -> dict[str, Any]:
    told = [{"statement": statement, "quote": quote, "source": source} for statement, quote, source in reasons]
    return VERDICT | {"reasons": told}


@pytest.fixture
def run(db: None) -> WorkflowRun:
    return run_for(LeadFactory(message="We need 400 licences.\n\nOur budget is ten thousand pounds."))


def test_quotes_are_kept_in_the_words_of_the_text(provider: FakeProvider, run: WorkflowRun) -> None:
    provider.answers["qualification"] = [
        verdict(
            ("A number", "they want 400 licences from March", "report"),
            ("Money", "Our budget is ten thousand pounds", "message"),
            # Said to stand in the report, and stands in the message.
            ("Both", "we need 400 licences", "report"),
        )
    ]

    found = qualify(run.lead, REPORT, run=run)

    assert found.reasons == (
        QuotedReason("A number", "They want 400 licences from March", "report"),
        QuotedReason("Money", "Our budget is ten thousand pounds", "message"),
        QuotedReason("Both", "We need 400 licences", "message"),
    )
    assert provider.retold == []


def test_a_quote_that_stands_nowhere_is_given_back_once(provider: FakeProvider, run: WorkflowRun) -> None:
    provider.answers["qualification"] = [
        verdict(("Money", "The budget is one million", "report")),
        verdict(("Money", "a budget for it this quarter", "report")),
    ]

    found = qualify(run.lead, REPORT, run=run)

    assert found.reasons == (QuotedReason("Money", "a budget for it this quarter", "report"),)
    (told,) = provider.retold
    assert "“The budget is one million”" in told
    assert len(provider.exchanges) == 2


def test_what_is_invented_twice_is_kept_as_no_quote(provider: FakeProvider, run: WorkflowRun) -> None:
    provider.answers["qualification"] = [verdict(("Money", "The budget is one million", "report"))]

    found = qualify(run.lead, REPORT, run=run)

    assert found.reasons == (QuotedReason("Money", "The budget is one million"),)
    assert not found.reasons[0].is_found
    assert len(provider.exchanges) == 2


def test_a_model_that_gives_no_reasons_does_not_stop_the_run(provider: FakeProvider, run: WorkflowRun) -> None:
    provider.answers["qualification"] = [{key: VERDICT[key] for key in ("category", "reason", "confidence")}]

    found = qualify(run.lead, REPORT, run=run)

    assert (found.category, found.reasons) == ("QUALIFIED", ())
    assert "Give one to 5 reasons" in provider.retold[0]


def test_limits_hold(provider: FakeProvider, run: WorkflowRun) -> None:
    long = "They want 400 licences. " * 60
    many = [("Why " * 200, long, "report")] + [("A number", "They want 400 licences", "report")] * 7
    provider.answers["qualification"] = [verdict(*many)]

    found = qualify(run.lead, long, run=run)

    assert len(found.reasons) == 5
    assert len(found.reasons[0].quote) <= QUOTE_LIMIT + 2
    assert len(found.reasons[0].statement) <= 400
    assert found.reasons[0].is_found


def test_the_email_is_written_from_what_was_found_without_citations(provider: FakeProvider) -> None:
    from leadagent.leads.running.agents import lead_prompt

    run = run_for(LeadFactory(), done=2)
    prompt = lead_prompt(run.lead, report=None, qualification=run.qualification)

    assert "They make gears" in prompt
    assert "We need 400 licences" in prompt
    assert "tomorrow noon" not in prompt


def test_the_reason_in_words_cites_nothing(provider: FakeProvider, run: WorkflowRun) -> None:
    provider.answers["qualification"] = [
        verdict(("Money [2]", "a budget for it this quarter [2, 3]", "report")) | {"reason": "They pay [2]."}
    ]

    found = qualify(run.lead, REPORT, run=run)

    assert found.reason == "They pay."
    assert found.reasons == (QuotedReason("Money", "a budget for it this quarter", "report"),)


# --- Pages and API ----------------------------------------------------------------------


def page_of(client: Client, lead: Lead, **headers: str) -> str:
    return client.get(f"/o/acme/leads/{lead.pk}/", **headers).content.decode()  # type: ignore[arg-type]


def test_the_page_shows_each_and_leads_to_its_place(viewer: Membership, signed_in: SignIn) -> None:
    lead = draft_under_review(organization=viewer.organization).run.lead
    page = page_of(signed_in(viewer), lead)

    assert '<mark id="quote-1">They make gears</mark>' in page
    assert '<mark id="quote-2">We need 400 licences</mark>' in page
    assert 'href="#quote-1"' in page
    assert 'href="#quote-2"' in page
    # What the model made up is not shown at all.
    assert "They are in a hurry." in page
    assert "Not found in the report" in page
    assert "by tomorrow noon" not in page


def test_a_page_that_asks_again_gets_the_marked_message_too(viewer: Membership, signed_in: SignIn) -> None:
    lead = run_for(LeadFactory(organization=viewer.organization), done=1).lead
    client = signed_in(viewer)
    assert 'id="lead-message"' not in page_of(client, lead, HTTP_HX_REQUEST="true")

    lead = draft_under_review(organization=viewer.organization).run.lead
    part = page_of(client, lead, HTTP_HX_REQUEST="true")
    assert 'hx-swap-oob="true"' in part
    assert '<mark id="quote-2">We need 400 licences</mark>' in part


def test_a_run_of_before_shows_its_reason_alone(viewer: Membership, signed_in: SignIn) -> None:
    lead = draft_under_review(organization=viewer.organization).run.lead
    WorkflowRun.objects.update(reasons=[])
    page = page_of(signed_in(viewer), lead)

    assert "They want to buy." in page
    assert "reason-statement" not in page
    assert "<mark" not in page


def test_a_link_leads_to_the_report_where_the_mark_cannot_be_made(viewer: Membership, signed_in: SignIn) -> None:
    lead = draft_under_review(organization=viewer.organization).run.lead
    reason = QuotedReason("It changed.", "words of an earlier report", "report")
    WorkflowRun.objects.update(reasons=[reason.as_json()])

    assert 'href="#report-title"' in page_of(signed_in(viewer), lead)


def test_hostile_quotes_stay_text(viewer: Membership, signed_in: SignIn) -> None:
    script = '"><script>alert(1)</script>'
    draft = draft_under_review(organization=viewer.organization, message=f"{script} they make gears")
    reasons = [QuotedReason(script, script, "message"), QuotedReason(script, f"{script} they make gears", "message")]
    WorkflowRun.objects.update(reasons=[reason.as_json() for reason in reasons])

    page = page_of(signed_in(viewer), draft.run.lead)

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_api_tells_quotes_and_no_inventions(viewer: Membership, signed_in: SignIn) -> None:
    lead = draft_under_review(organization=viewer.organization).run.lead

    told = signed_in(viewer).get(f"/api/leads/{lead.pk}").json()["run"]["qualification"]["reasons"]

    assert told == [
        {"statement": "It is a maker of gears.", "quote": "They make gears", "source": "report"},
        {"statement": "They name a number.", "quote": "We need 400 licences", "source": "message"},
        {"statement": "They are in a hurry.", "quote": None, "source": None},
    ]
