"""A second run on other models: beside the first, never sent by itself, and shown with what both have cost."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from uuid6 import uuid7

from byok.calls.model_fallback import OwnModel
from byok.calls.platform_fallback import Fallback
from byok.config.values import InvalidConfig
from byok.models import AIConfig
from leadagent.leads import tasks
from leadagent.leads.emails.deciding import DraftConflict, approve_draft
from leadagent.leads.emails.sending import send_draft
from leadagent.leads.models import (
    DraftStatus,
    EmailDraft,
    LeadStatus,
    RunStatus,
    StepName,
    StepStatus,
    WorkflowRun,
)
from leadagent.leads.running.comparing import checked_models, start_comparison, use_comparison
from leadagent.leads.running.leases import complete_step, fail_step
from leadagent.leads.running.run_state import StepFailure
from leadagent.leads.running.workflow import RunConflict, cancel_run, resume_run, start_run
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.byok.catalog_rows import add_model
from tests.factories import OrganizationFactory, UserFactory
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import OUTCOMES, LeadFactory, claimed, run_for
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
OTHER = dict.fromkeys(StepName.values, "gpt-other")
NO_KEY = StepFailure("invalid_key", "Save a new key.", permanent=True, needs_admin=True)


@pytest.fixture
def first(organization: Organization) -> WorkflowRun:
    """A run with a draft that waits for approval."""
    AIConfig.objects.create(organization=organization, provider="openai", chat_model="gpt-first")
    for name in ("gpt-first", "gpt-other"):
        add_model(name, route="openai")
    return run_for(LeadFactory(organization=organization), done=3)


def finish(run: WorkflowRun) -> None:
    for _ in StepName:
        claim = claimed(run)
        complete_step(claim, OUTCOMES[claim.name])


def compared(first: WorkflowRun, *, done: bool = True) -> WorkflowRun:
    run = start_comparison(first.lead, OTHER)
    if done:
        finish(run)
    return fresh(run)


def fresh(run: WorkflowRun) -> WorkflowRun:
    return WorkflowRun.objects.select_related("lead", "organization").get(pk=run.pk)


def draft_of(run: WorkflowRun) -> EmailDraft:
    return EmailDraft.objects.get(run=run)


def told(action: str) -> list[Any]:
    return list(AuditEvent.objects.filter(action=action).values_list("target", "after"))


# --- Beside the first run ---


def test_a_comparison_leaves_the_open_draft_and_the_lead_alone(first: WorkflowRun) -> None:
    before = draft_of(first)
    run = compared(first, done=False)
    assert fresh(first).lead.status == LeadStatus.REVIEW

    finish(run)

    run = fresh(run)
    assert (run.status, run.is_comparison, run.compared_with) == (RunStatus.DONE, True, first)
    assert (fresh(first).status, fresh(first).lead.status) == (RunStatus.AWAITING_REVIEW, LeadStatus.REVIEW)
    assert (draft_of(first).status, draft_of(first).version) == (DraftStatus.DRAFT, before.version)
    assert draft_of(run).status == DraftStatus.COMPARED
    assert told("run.compared") == [
        (f"run {run.pk}", {"lead": str(first.lead_id), "beside": f"run {first.pk}", "models": OTHER})
    ]


def test_its_draft_can_neither_be_sent_nor_edited(first: WorkflowRun) -> None:
    draft, by = draft_of(compared(first)), UserFactory()
    with pytest.raises(DraftConflict):
        approve_draft(draft, subject="S", body="B", by=by, version=draft.version)
    assert not send_draft(draft.pk)
    assert mail.outbox == []
    assert draft_of(draft.run).status == DraftStatus.COMPARED


def test_one_comparison_at_a_time_and_one_open_run(first: WorkflowRun) -> None:
    run = compared(first, done=False)
    with pytest.raises(RunConflict, match="under way"):
        start_comparison(first.lead, OTHER)
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkflowRun.objects.create(organization=first.organization, lead=first.lead, is_comparison=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkflowRun.objects.create(organization=first.organization, lead=first.lead)
    finish(run)
    assert start_comparison(first.lead, OTHER).pk != run.pk


def test_there_has_to_be_something_to_compare_with(organization: Organization) -> None:
    with pytest.raises(RunConflict, match="before the first run has ended"):
        start_comparison(LeadFactory(organization=organization), OTHER)
    with pytest.raises(RunConflict, match="before the first run has ended"):
        start_comparison(run_for(LeadFactory(organization=organization)).lead, OTHER)


def test_running_again_does_not_touch_a_comparison(first: WorkflowRun) -> None:
    run = compared(first, done=False)
    again = start_run(first.lead)
    assert fresh(first).status == RunStatus.CANCELLED
    assert fresh(run).status == RunStatus.QUEUED
    finish(run)
    assert fresh(run).lead.status == LeadStatus.WORKING
    cancel_run(again)


def test_it_can_be_cancelled_paused_and_resumed_without_moving_the_lead(first: WorkflowRun) -> None:
    run = compared(first, done=False)
    fail_step(claimed(run), NO_KEY)
    assert (fresh(run).status, fresh(run).lead.status) == (RunStatus.PAUSED, LeadStatus.REVIEW)
    resume_run(run)
    assert (fresh(run).status, fresh(run).lead.status) == (RunStatus.QUEUED, LeadStatus.REVIEW)
    cancel_run(run)
    assert (fresh(run).status, fresh(run).lead.status) == (RunStatus.CANCELLED, LeadStatus.REVIEW)


def test_pages_and_api_go_on_to_show_the_first_run(first: WorkflowRun, member: Membership, signed_in: SignIn) -> None:
    run = compared(first)
    WorkflowRun.objects.filter(pk=run.pk).update(category="UNQUALIFIED")
    client = signed_in(member)
    assert client.get(f"/api/leads/{first.lead_id}").json()["run"]["id"] == str(first.pk)
    page = client.get(f"/o/acme/leads/{first.lead_id}/").content.decode()
    assert f"/o/acme/drafts/{draft_of(first).pk}/approve/" in page
    assert str(draft_of(run).pk) not in page
    assert f"/o/acme/runs/{run.pk}/compare/" in page
    assert fresh(first).lead.category == "QUALIFIED"


# --- On the chosen models ---


def test_every_step_runs_on_its_chosen_model_and_nothing_stands_in(
    first: WorkflowRun,
    provider: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    AIConfig.objects.update(
        fallback=dict.fromkeys(StepName.values, "allow"),
        further_models={name: ["gpt-first"] for name in StepName.values},
    )
    wishes: list[tuple[str, Fallback | None]] = []
    resolve = provider.get_model_for_tenant

    def resolving(organization: Organization, kind: str, **more: Any) -> Any:
        wishes.append((more["operation"], more["fallback"]))
        return resolve(organization, kind, **more)

    monkeypatch.setattr("byok.resolver.get_model_for_tenant", resolving)
    run = start_comparison(first.lead, {"research": "gpt-other", "qualification": "gpt-first", "email_generation": "x"})
    for _ in StepName:
        with django_capture_on_commit_callbacks(execute=True):
            tasks.advance_run(str(run.pk))

    assert wishes == [
        ("research", OwnModel("gpt-other")),
        ("qualification", OwnModel("gpt-first")),
        ("email_generation", OwnModel("x")),
    ]
    steps = run.steps.all()
    assert [(step.model, step.meant_model) for step in steps] == [(m, m) for m in ("gpt-other", "gpt-first", "x")]
    assert {step.status for step in steps} == {StepStatus.SUCCEEDED}


def test_which_models_can_be_chosen(first: WorkflowRun) -> None:
    organization = first.organization
    assert checked_models(organization, {"email_generation": " gpt-other "}) == {
        "research": "gpt-first",
        "qualification": "gpt-first",
        "email_generation": "gpt-other",
    }
    for given, field in (
        ({}, ""),
        ({"research": ""}, ""),
        ({"research": "unheard-of"}, "model_research"),
        ({"research": "sk-proj-0123456789abcdefghijABCDEFGHIJ0123456789"}, "model_research"),
    ):
        with pytest.raises(InvalidConfig) as refused:
            checked_models(organization, given)
        assert refused.value.field == field
    AIConfig.objects.update(provider="platform_default")
    with pytest.raises(InvalidConfig, match="one model"):
        checked_models(organization, {"research": "gpt-other"})


# --- Using its draft ---


def test_its_draft_takes_the_place_of_the_open_one(first: WorkflowRun) -> None:
    run, by = compared(first), UserFactory()

    use_comparison(run, by=by)

    assert (fresh(first).status, draft_of(first).status) == (RunStatus.CANCELLED, DraftStatus.DISCARDED)
    run = fresh(run)
    assert (run.status, run.is_comparison, run.lead.status) == (RunStatus.AWAITING_REVIEW, False, LeadStatus.REVIEW)
    assert run.lead.category == run.category
    draft = draft_of(run)
    assert (draft.status, draft.is_editable) == (DraftStatus.DRAFT, True)
    assert told("run.comparison_used") == [
        (f"run {run.pk}", {"lead": str(first.lead_id), "in_place_of": f"run {first.pk}"})
    ]
    approve_draft(draft, subject=draft.subject, body=draft.body, by=by, version=draft.version)
    assert send_draft(draft.pk)
    assert len(mail.outbox) == 1
    with pytest.raises(RunConflict):
        use_comparison(run, by=by)


def test_it_stands_in_for_a_run_that_never_came_to_a_draft(organization: Organization) -> None:
    stopped = run_for(LeadFactory(organization=organization), done=1)
    fail_step(claimed(stopped), NO_KEY)
    run = compared(stopped)
    use_comparison(run, by=UserFactory())
    assert fresh(stopped).status == RunStatus.CANCELLED
    assert fresh(run).status == RunStatus.AWAITING_REVIEW


def test_it_cannot_be_used_once_things_have_moved_on(first: WorkflowRun) -> None:
    by, run = UserFactory(), compared(first)
    draft = draft_of(first)
    EmailDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.SENDING)
    with pytest.raises(RunConflict, match="being sent"):
        use_comparison(run, by=by)
    WorkflowRun.objects.filter(pk=first.pk).update(status=RunStatus.DONE)
    with pytest.raises(RunConflict, match="decided on already"):
        use_comparison(run, by=by)
    start_run(first.lead)
    with pytest.raises(RunConflict, match="newer run"):
        use_comparison(run, by=by)
    assert fresh(run).is_comparison
    assert draft_of(run).status == DraftStatus.COMPARED


def test_an_unfinished_comparison_has_nothing_to_use(first: WorkflowRun) -> None:
    with pytest.raises(RunConflict, match="no draft"):
        use_comparison(compared(first, done=False), by=UserFactory())


# --- The pages ---


def used(run: WorkflowRun, operation: str, tokens: int, *, actual: str = "", estimated: str = "") -> None:
    at = timezone.now()
    AIUsage.objects.create(
        id=uuid7(),
        organization_id=run.organization_id,
        operation=operation,
        provider="openai",
        model="gpt",
        key_owner="customer",
        run_id=run.pk,
        success=True,
        total_tokens=tokens,
        actual_cost=Decimal(actual) if actual else None,
        estimated_cost=Decimal(estimated) if estimated else None,
        created_at=at + timedelta(seconds=1),
    )


def test_the_page_shows_both_with_what_they_cost_and_the_difference(
    first: WorkflowRun, viewer: Membership, signed_in: SignIn
) -> None:
    run = compared(first)
    EmailDraft.objects.filter(run=run).update(original_body="Dear Ann,\n\nshall we meet?")
    used(first, "research", 1000, actual="0.010")
    used(first, "embedding", 10, actual="0.001")
    used(first, "qualification", 100, estimated="0.002")
    used(run, "research", 500, actual="0.004")
    used(run, "qualification", 100)
    client = signed_in(viewer)

    page = client.get(f"/o/acme/runs/{run.pk}/compare/").content.decode()

    assert "talk?" in page.partition("<del>")[2].partition("</del>")[0]
    assert "meet?" in page.partition("<ins>")[2].partition("</ins>")[0]
    assert "$0.011" in page
    assert "$0.0020 (estimated)" in page
    assert ">unknown<" in page
    assert "1 call unknown" in page
    assert "-510" in page
    assert "-$0.0070, -64%" in page
    assert "not comparable" in page
    assert page.count("They want to buy.") == 2
    # A viewer looks; nothing can be done here.
    assert "Use this draft" not in page
    assert "<form" not in page.partition('id="comparison-state"')[2]


def test_the_page_shows_the_reasons_of_both(first: WorkflowRun, member: Membership, signed_in: SignIn) -> None:
    page = signed_in(member).get(f"/o/acme/runs/{compared(first).pk}/compare/").content.decode()

    for side in ("first", "second"):
        assert f'<mark id="{side}-quote-1">They make gears</mark>' in page
        assert f'href="#{side}-quote-1"' in page
    assert page.count(f'href="/o/acme/leads/{first.lead_id}/#lead-message"') == 2
    assert page.count("Not found in the report") == 2


def test_calls_that_nobody_kept_are_no_zero(first: WorkflowRun, member: Membership, signed_in: SignIn) -> None:
    page = signed_in(member).get(f"/o/acme/runs/{compared(first).pk}/compare/").content.decode()
    assert "not kept" in page
    assert "$0.00" not in page


def test_a_member_starts_one_follows_it_and_uses_its_draft(
    first: WorkflowRun,
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client = signed_in(member)
    address = f"/o/acme/leads/{first.lead_id}/compare/"
    assert f'href="{address}"' in client.get(f"/o/acme/leads/{first.lead_id}/").content.decode()
    page = client.get(address).content.decode()
    assert '<option value="gpt-other">' in page
    assert "In use: gpt-first" in page

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(address, {"model_all": "gpt-other"})

    run = WorkflowRun.objects.get(is_comparison=True)
    assert (run.chosen_models, run.created_by) == (OTHER, member.user)
    assert answer["Location"] == f"/o/acme/runs/{run.pk}/compare/"
    assert [entry[:2] for entry in nudges.take()] == [("advance_run", run.pk)]
    page = client.get(answer["Location"]).content.decode()
    assert "Comparison under way" in page
    assert 'hx-trigger="every 1s"' in page
    seen = page.partition("?seen=")[2][:16]
    htmx = {"HX-Request": "true"}
    assert client.get(f"{answer['Location']}?seen={seen}", headers=htmx).status_code == 204
    finish(run)
    moved = client.get(f"{answer['Location']}?seen={seen}", headers=htmx)
    assert moved.status_code == 200
    assert "<html" not in moved.content.decode()
    assert "Use this draft" in moved.content.decode()
    used_it = client.post(f"/o/acme/runs/{run.pk}/compare/use/", follow=True)
    assert "now the one to review" in used_it.content.decode()
    assert f"/o/acme/drafts/{draft_of(run).pk}/approve/" in used_it.content.decode()
    page = client.get(f"/o/acme/runs/{run.pk}/compare/").content.decode()
    assert "Draft taken over" in page
    assert "Use this draft" not in page


@pytest.mark.parametrize(
    ("sent", "field"),
    [({}, ""), ({"model_all": "unheard-of"}, "model_all"), ({"model_research": "unheard-of"}, "model_research")],
)
def test_a_wrong_choice_is_told_where_it_was_made(
    first: WorkflowRun, member: Membership, signed_in: SignIn, sent: dict[str, str], field: str
) -> None:
    answer = signed_in(member).post(f"/o/acme/leads/{first.lead_id}/compare/", sent)
    assert answer.status_code == 422
    if field:
        assert f'id="id_{field}_error"' in answer.content.decode()
    assert not WorkflowRun.objects.filter(is_comparison=True).exists()


def test_cancelling_leads_back_to_the_comparison(first: WorkflowRun, member: Membership, signed_in: SignIn) -> None:
    run = compared(first, done=False)
    answer = signed_in(member).post(f"/o/acme/runs/{run.pk}/cancel/")
    assert answer["Location"] == f"/o/acme/runs/{run.pk}/compare/"


def test_viewers_start_and_use_nothing_and_others_see_nothing(
    first: WorkflowRun, viewer: Membership, member: Membership, signed_in: SignIn
) -> None:
    run = compared(first)
    client = signed_in(viewer)
    assert client.post(f"/o/acme/leads/{first.lead_id}/compare/", {"model_all": "gpt-other"}).status_code == 403
    assert client.post(f"/o/acme/runs/{run.pk}/compare/use/").status_code == 403
    theirs = compared(run_for(LeadFactory(organization=OrganizationFactory()), done=3))
    client = signed_in(member)
    for address in (f"runs/{theirs.pk}/compare/", f"leads/{theirs.lead_id}/compare/", f"runs/{first.pk}/compare/"):
        assert client.get(f"/o/acme/{address}").status_code == 404
    assert client.post(f"/o/acme/runs/{theirs.pk}/compare/use/").status_code == 404
    assert fresh(theirs).is_comparison
    assert isinstance(theirs.pk, UUID)


def test_the_page_takes_as_many_queries_for_any_number_of_calls(
    first: WorkflowRun, member: Membership, signed_in: SignIn, django_assert_num_queries: Callable[[int], Any]
) -> None:
    run = compared(first)
    client = signed_in(member)
    address = f"/o/acme/runs/{run.pk}/compare/"

    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get(address)
    for _ in range(5):
        used(run, "research", 100, actual="0.001")
    with django_assert_num_queries(len(one)):
        client.get(address)
