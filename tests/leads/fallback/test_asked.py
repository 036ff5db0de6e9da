"""A run whose own key fails where people are to be asked: it stops, and a member lets it go on."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from leadagent.leads.models import RunStatus, WorkflowRun
from leadagent.leads.running.workflow import RunConflict, cancel_run, grant_platform
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.factories import MembershipFactory
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import LeadFactory, run_for
from tests.leads.fallback.conftest import Work
from tests.leads.fallback.consent import LINE, page, say, told, trouble

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]


def test_asked_a_member_lets_the_run_go_on(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    say(organization, "ask")
    provider.fail_with = {name: trouble() for name in ("research", "qualification", "email_generation")}
    run = work(run)
    assert (run.status, run.error_sentence) == (RunStatus.PAUSED, trouble().sentence)
    assert provider.exchanges == [("research", "own")]
    client = signed_in(member)
    address = f"/o/acme/runs/{run.pk}/fallback/"
    shown = page(client, run)
    assert "OpenAI refused the key." in shown
    assert f'action="{address}"' in shown
    assert "50 of 50 are left" in shown

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(address)

    assert response.headers["Location"] == f"/o/acme/leads/{run.lead_id}/"
    assert nudges.names == ["advance_run"]
    event = AuditEvent.objects.get(action="fallback.granted")
    assert (event.actor, event.target) == (member.user, f"run {run.pk}")
    assert event.after == {"operations": ["research", "qualification", "email_generation"], "because": "invalid_key"}

    run = work(run)
    assert run.status == RunStatus.AWAITING_REVIEW
    assert [step.on_platform for step in run.steps.all()] == [True, True, True]
    assert len(told("fallback.used")) == 1
    assert page(client, run).count(f"Done {LINE}") == 3


def test_a_grant_is_for_one_run(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    grant_platform(work(run), by=member.user)
    assert work(run).status == RunStatus.AWAITING_REVIEW

    other = work(run_for(LeadFactory(organization=organization)))

    assert other.status == RunStatus.PAUSED


def test_a_grant_does_not_outlive_the_consent(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    run = work(run)
    grant_platform(run, by=member.user)
    say(organization, "never")

    assert work(run).status == RunStatus.PAUSED
    assert ("research", "platform") not in provider.exchanges


def test_a_viewer_is_offered_nothing_and_may_not_press_it(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    viewer: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    run = work(run)
    client = signed_in(viewer)
    assert "fallback/" not in page(client, run)
    assert client.post(f"/o/acme/runs/{run.pk}/fallback/").status_code == 403
    assert told("fallback.granted") == []


def test_the_button_asks_for_the_csrf_token_and_for_ones_own_organisation(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    run = work(run)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member.user)
    assert strict.post(f"/o/acme/runs/{run.pk}/fallback/").status_code == 403
    elsewhere = MembershipFactory(user=member.user)
    lax = Client()
    lax.force_login(member.user)
    assert lax.post(f"/o/{elsewhere.organization.slug}/runs/{run.pk}/fallback/").status_code == 404
    assert lax.get(f"/o/acme/runs/{run.pk}/fallback/").status_code == 405
    assert told("fallback.granted") == []


@pytest.mark.parametrize("code", ["content_refused", "overloaded", "region_refused"])
def test_nothing_is_offered_for_other_troubles(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership, code: str
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble(code)
    run = work(run)
    with pytest.raises(RunConflict, match="nothing that the platform's AI could go on with"):
        grant_platform(run, by=member.user)


def test_nothing_is_offered_where_never_was_said_or_the_run_has_ended(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "never")
    provider.fail_with["research"] = trouble()
    run = work(run)
    client = signed_in(member)
    assert "fallback/" not in page(client, run)
    shown = client.post(f"/o/acme/runs/{run.pk}/fallback/", follow=True).content.decode()
    assert "nothing that the platform" in shown

    say(organization, "ask")
    cancel_run(run)
    assert "fallback/" not in page(client, run)
    with pytest.raises(RunConflict):
        grant_platform(run, by=member.user)


def test_without_free_requests_there_is_no_button(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
    settings: Settings,
) -> None:
    settings.FREE_TIER_REQUESTS = 0
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    shown = page(signed_in(member), work(run))
    assert "They are used up until next month." in shown
    assert "fallback/" not in shown
