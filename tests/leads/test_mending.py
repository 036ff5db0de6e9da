"""A paused run goes on by itself once what paused it is mended: with a proof, once, told to the audit log."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from byok.models import AIConfig, CredentialStatus, ProviderCredential
from leadagent.leads import tasks
from leadagent.leads.models import RunStatus, WorkflowRun
from leadagent.leads.running.leases import complete_step, fail_step
from leadagent.leads.running.mending import AT_MOST_EVERY, MENDABLE, resume_mended
from leadagent.leads.running.run_state import ModelUse, StepFailure, TakenOver
from leadagent.leads.running.workflow import cancel_run, resume_by_itself, resume_run, start_run
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.factories import OrganizationFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import OUTCOMES, LeadFactory, claimed, run_for
from usage.models import BudgetMonth, FreeTierMonth
from usage.spending.budgets import room_for
from usage.spending.chosen_budgets import BudgetChoice, save_budgets
from usage.utc_days import first_of_month

pytestmark = pytest.mark.django_db

KEY_TROUBLES = ["config_missing", "key_unreadable", "invalid_key", "missing_scope", "no_credit", "key_limit"]


def own_key(organization: Organization, status: str = CredentialStatus.REJECTED, **more: Any) -> ProviderCredential:
    """Acme's own OpenAI key, saved an hour ago."""
    AIConfig.objects.get_or_create(organization=organization, defaults={"provider": "openai", "chat_model": "gpt"})
    long_ago = timezone.now() - timedelta(hours=1)
    values = {"saved_at": long_ago, "checked_at": long_ago, "sealed_key": "x", "fingerprint": "f", "last4": "0000"}
    return ProviderCredential.objects.update_or_create(
        organization=organization, provider="openai", defaults={**values, "status": status, **more}
    )[0]


def paused(organization: Organization, code: str = "invalid_key", **more: Any) -> WorkflowRun:
    run = run_for(LeadFactory(organization=organization), done=more.pop("done", 0))
    fail_step(claimed(run), StepFailure(code, "Mend it.", permanent=True, needs_admin=True, **more))
    return run


def status_of(run: WorkflowRun) -> str:
    return WorkflowRun.objects.get(pk=run.pk).status


def told() -> list[tuple[str, str, Any]]:
    events = AuditEvent.objects.filter(action="run.resumed").order_by("pk")
    return list(events.values_list("actor_label", "target", "after"))


# --- Keys ---


@pytest.mark.parametrize("code", KEY_TROUBLES)
def test_a_new_key_that_was_tested_lets_the_run_go_on_once(organization: Organization, code: str) -> None:
    own_key(organization)
    run = paused(organization, code)
    assert resume_mended() == []

    own_key(organization, CredentialStatus.OK, saved_at=timezone.now())

    assert resume_mended() == [run.pk]
    assert resume_mended() == []
    assert status_of(run) == RunStatus.QUEUED
    assert told() == [("system", f"run {run.pk}", {"stopped_by": code, "because": "a new key was saved"})]


@pytest.mark.parametrize("code", KEY_TROUBLES)
def test_a_key_that_works_again_does_too(organization: Organization, code: str) -> None:
    """Credit was added or a limit raised: a test of the stored key says so. A permission shows in no test."""
    own_key(organization, CredentialStatus.NO_CREDIT)
    run = paused(organization, code)
    own_key(organization, CredentialStatus.OK, checked_at=timezone.now())

    assert resume_mended() == ([] if code == "missing_scope" else [run.pk])
    if code != "missing_scope":
        assert told()[0][2]["because"] == "the key works again"


@pytest.mark.parametrize("status", [status for status in CredentialStatus if status != CredentialStatus.OK])
def test_a_key_that_is_not_known_to_work_does_not(organization: Organization, status: str) -> None:
    own_key(organization)
    run = paused(organization)
    own_key(organization, status, saved_at=timezone.now(), checked_at=timezone.now())
    assert resume_mended() == []
    assert status_of(run) == RunStatus.PAUSED


def test_a_key_that_was_good_before_the_attempt_proves_nothing(organization: Organization) -> None:
    own_key(organization, CredentialStatus.OK)
    paused(organization)
    assert resume_mended() == []


def test_a_key_that_was_replaced_during_the_attempt_proves_enough(organization: Organization) -> None:
    own_key(organization)
    run = run_for(LeadFactory(organization=organization))
    claim = claimed(run)
    own_key(organization, CredentialStatus.OK, saved_at=timezone.now())
    fail_step(claim, StepFailure("invalid_key", "Mend it.", permanent=True, needs_admin=True))
    assert resume_mended() == [run.pk]


def test_choosing_the_platforms_ai_mends_a_key_too(organization: Organization) -> None:
    own_key(organization)
    run = paused(organization)
    AIConfig.objects.get().save()
    assert resume_mended() == []
    config = AIConfig.objects.get()
    config.provider = "platform_default"
    config.save()
    assert resume_mended() == [run.pk]
    assert told()[0][2]["because"] == "the platform's AI was chosen"


def test_a_run_that_stops_again_waits_for_a_new_proof(organization: Organization) -> None:
    own_key(organization)
    run = paused(organization)
    own_key(organization, CredentialStatus.OK, saved_at=timezone.now())
    assert resume_mended() == [run.pk]

    fail_step(claimed(run), StepFailure("invalid_key", "Mend it.", permanent=True, needs_admin=True))
    with time_machine.travel(timezone.now() + AT_MOST_EVERY + timedelta(seconds=1)):
        assert resume_mended() == []
        own_key(organization, CredentialStatus.OK, saved_at=timezone.now())
        assert resume_mended() == [run.pk]


def test_a_key_that_flaps_does_not_drive_a_run_in_circles(organization: Organization) -> None:
    own_key(organization)
    run = paused(organization)
    for at, resumed in ((timedelta(0), True), (timedelta(minutes=1), False), (timedelta(minutes=7), True)):
        with time_machine.travel(timezone.now() + at):
            own_key(organization, CredentialStatus.OK, checked_at=timezone.now())
            assert (resume_mended() == [run.pk]) is resumed
            if resumed:
                fail_step(claimed(run), StepFailure("invalid_key", "Mend it.", permanent=True, needs_admin=True))


# --- Budgets ---


def taken(organization: Organization, dollars: str, operation: str = "") -> None:
    BudgetMonth.objects.update_or_create(
        organization=organization, operation=operation, month=first_of_month(), defaults={"taken": Decimal(dollars)}
    )


def test_a_budget_that_was_raised_enough_lets_the_run_go_on(organization: Organization) -> None:
    save_budgets(organization, {"": BudgetChoice(hard=Decimal(1))})
    taken(organization, "0.95")
    run = paused(organization, "budget_exhausted", budget_needed=Decimal("0.50"))
    assert resume_mended() == []
    save_budgets(organization, {"": BudgetChoice(hard=Decimal("1.20"))})
    # There is room, but not for this call.
    assert resume_mended() == []
    save_budgets(organization, {"": BudgetChoice(hard=Decimal("1.45"))})
    assert resume_mended() == [run.pk]
    assert told()[0][2] == {"stopped_by": "budget_exhausted", "because": "the budget has room again"}


def test_what_other_calls_held_and_gave_back_counts(organization: Organization) -> None:
    save_budgets(organization, {"": BudgetChoice(hard=Decimal(1))})
    taken(organization, "0.90")
    run = paused(organization, "budget_exhausted", budget_needed=Decimal("0.30"))
    taken(organization, "0.10")
    assert resume_mended() == [run.pk]


def test_a_budget_of_another_operation_does_not_hold_a_run(organization: Organization) -> None:
    save_budgets(organization, {"qualification": BudgetChoice(hard=Decimal(1))})
    taken(organization, "1", "qualification")
    research = paused(organization, "budget_exhausted", budget_needed=Decimal("0.10"))
    qualification = paused(organization, "budget_exhausted", done=1, budget_needed=Decimal("0.10"))
    assert room_for(organization.pk, "research") is None
    assert room_for(organization.pk, "qualification") == 0
    assert resume_mended() == [research.pk]
    save_budgets(organization, {})
    assert resume_mended() == [qualification.pk]


def test_a_new_month_begins_with_the_whole_budget(organization: Organization) -> None:
    with time_machine.travel(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), tick=False):
        save_budgets(organization, {"": BudgetChoice(hard=Decimal(1))})
        taken(organization, "1")
        run = paused(organization, "budget_exhausted", budget_needed=Decimal("0.10"))
        assert resume_mended() == []
    with time_machine.travel(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC), tick=False):
        assert resume_mended() == [run.pk]


def test_a_cap_of_the_run_itself_is_no_budget_to_wait_for(organization: Organization) -> None:
    paused(organization, "budget_exhausted")
    assert resume_mended() == []


# --- The free tier ---


def test_free_requests_of_a_new_month_let_a_run_go_on(organization: Organization, settings: Settings) -> None:
    settings.FREE_TIER_REQUESTS = 5
    with time_machine.travel(datetime(2026, 11, 30, 12, tzinfo=UTC), tick=False):
        FreeTierMonth.objects.create(organization=organization, month=first_of_month(), used=5)
        run = paused(organization, "quota_exhausted")
        assert resume_mended() == []
    with time_machine.travel(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC), tick=False):
        assert resume_mended() == [run.pk]
    assert told()[0][2]["because"] == "there are free requests again"


def test_a_key_of_ones_own_mends_a_used_up_free_tier(organization: Organization, settings: Settings) -> None:
    settings.FREE_TIER_REQUESTS = 0
    run = paused(organization, "quota_exhausted")
    own_key(organization, CredentialStatus.OK, saved_at=timezone.now())
    assert resume_mended() == [run.pk]


def test_free_requests_mend_only_what_ran_on_them(organization: Organization, settings: Settings) -> None:
    settings.FREE_TIER_REQUESTS = 5
    own_key(organization)
    paused(organization, "quota_exhausted")
    stood_in = paused(organization, "quota_exhausted", taken_over=TakenOver("invalid_key", "it was refused"))
    assert resume_mended() == [stood_in.pk]


# --- Models ---


def test_another_model_mends_one_that_is_gone(organization: Organization) -> None:
    own_key(organization, CredentialStatus.OK)
    run = paused(organization, "model_not_found", model_use=ModelUse("gpt", "gpt"))
    AIConfig.objects.update(operation_models={"qualification": "other"})
    assert resume_mended() == []
    AIConfig.objects.update(operation_models={"research": "other"})
    assert resume_mended() == [run.pk]
    assert told()[0][2]["because"] == "another model was chosen"


# --- Everything else ---


def test_nothing_else_goes_on_by_itself(organization: Organization) -> None:
    own_key(organization)
    for code in ("region_refused", "wrong_destination"):
        assert code not in MENDABLE
        paused(organization, code)
    failed = run_for(LeadFactory(organization=organization))
    fail_step(claimed(failed), StepFailure("invalid_key", "Gone.", permanent=True))
    own_key(organization, CredentialStatus.OK, saved_at=timezone.now(), checked_at=timezone.now())
    assert resume_mended() == []


def test_one_organisations_key_mends_nobody_elses_run(organization: Organization) -> None:
    other = OrganizationFactory()
    own_key(organization)
    own_key(other)
    paused(organization)
    theirs = paused(other)
    own_key(other, CredentialStatus.OK, saved_at=timezone.now())
    assert resume_mended() == [theirs.pk]


def test_the_step_that_failed_is_the_only_one_repeated(organization: Organization) -> None:
    own_key(organization)
    run = paused(organization, done=1)
    own_key(organization, CredentialStatus.OK, saved_at=timezone.now())
    resume_mended()
    claim = claimed(run)
    assert claim.name == "qualification"
    complete_step(claim, OUTCOMES[claim.name])
    assert run.steps.get(name="research").attempts == 1


def test_whoever_is_first_resumes_it(organization: Organization) -> None:
    own_key(organization)
    by_hand, cancelled, newer = paused(organization), paused(organization), paused(organization)
    own_key(organization, CredentialStatus.OK, saved_at=timezone.now())
    resume_run(by_hand)
    cancel_run(cancelled)
    assert not resume_by_itself(by_hand.pk, because="x")
    assert not resume_by_itself(cancelled.pk, because="x")
    cancel_run(newer)
    start_run(newer.lead)
    assert resume_mended() == []
    assert len(told()) == 1


def test_the_sweep_resumes_and_tells_a_worker(
    organization: Organization,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    own_key(organization)
    run = paused(organization)
    own_key(organization, CredentialStatus.OK, saved_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_runs()
        tasks.sweep_runs()
    assert nudges.take() == [("advance_run", run.pk, timedelta(0))]


def test_the_page_says_that_it_goes_on_by_itself(
    organization: Organization, member: Membership, signed_in: Callable[[Membership], Client]
) -> None:
    own_key(organization)
    client = signed_in(member)
    mendable, other = paused(organization), paused(organization, "region_refused")
    words = "It goes on by itself once that is mended."
    page = client.get(f"/o/acme/leads/{mendable.lead_id}/").content.decode()
    assert words in page
    # And by hand as before.
    assert f"/o/acme/runs/{mendable.pk}/resume/" in page
    assert words not in client.get(f"/o/acme/leads/{other.lead_id}/").content.decode()


def test_a_thousand_paused_runs_cost_no_query_each(
    organization: Organization, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    own_key(organization)
    for _ in range(4):
        paused(organization)
    with django_assert_max_num_queries(20):
        assert resume_mended() == []
