"""Many leads while two calls of five fail, by aimock's own dice: each call is one row, each lead ends once.

`make chaos` (LEADAGENT_CHAOS=long) tries more leads and more seeds.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from leadagent.leads.models import EmailDraft, Lead, RunStatus, StepStatus, WorkflowRun
from leadagent.leads.running.workflow import resume_run, start_run
from leadagent.tenants.models import Organization
from tests.leads.factories import LeadFactory
from tests.wire.models import CHAT_MODELS
from tests.wire.provider import Aimock, Call, running
from tests.wire.runs import let_time_pass, perform_all, whole_workflow
from usage.ledger import rebuilding
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]
LONG = os.environ.get("LEADAGENT_CHAOS") == "long"
LEADS, SEEDS, ROUNDS = (20, range(1, 6), 6) if LONG else (5, range(1, 2), 3)
# aimock rolls one after the other: these are 38 of 100 calls together.
FAULTS = {"dropRate": 0.12, "malformedRate": 0.12, "rateLimitRate": 0.12, "disconnectRate": 0.09}
OVER = {RunStatus.AWAITING_REVIEW, RunStatus.FAILED}


@pytest.fixture(params=SEEDS)
def mock(
    request: pytest.FixtureRequest, provider: str, settings: Settings, own_places: None, tmp_path: Path
) -> Iterator[Aimock]:
    """A provider of its own, because its dice begin at the seed."""
    place = tmp_path / "aimock"
    place.mkdir()
    with running(provider, place, seed=request.param) as made:
        settings.PROVIDER_URLS = dict.fromkeys(CHAT_MODELS, "http://127.0.0.1:1/v1") | {provider: made.base_url}
        settings.PLATFORM_KEYS = dict.fromkeys(CHAT_MODELS, "")
        yield made


def test_nothing_is_lost_or_doubled(tenant: Organization, mock: Aimock, rows: Rows) -> None:
    mock.answers(*whole_workflow(mock.provider))
    mock.fails(**FAULTS)
    leads = [LeadFactory(organization=tenant, email=f"ann@gears-{number:02}.example") for number in range(LEADS)]
    runs = [start_run(lead) for lead in leads]

    for _ in range(ROUNDS):
        for run in runs:
            perform_all(run)
        let_time_pass()

    assert {RunStatus(run.status) for run in runs} <= {*OVER, RunStatus.WAITING}
    assert_each_call_is_one_row(leads, mock.calls, rows())
    assert sum(1 for call in mock.calls if call.chaos) > LEADS, "the dice were kind"

    mock.is_well_again()
    for run in runs:
        if run.status == RunStatus.FAILED:
            resume_run(run)
        perform_all(run)

    assert {run.status for run in runs} == {RunStatus.AWAITING_REVIEW}
    assert_each_call_is_one_row(leads, mock.calls, rows())
    assert_each_lead_has_ended_once(runs, rows())
    assert rebuilding.differences(timezone.now().date().replace(day=1)) == []


def assert_each_call_is_one_row(leads: list[Lead], journal: list[Call], booked: list[AIUsage]) -> None:
    """Lead by lead the same calls in the same order, told apart by the lead's address in the prompt."""
    assert len(booked) == len(journal) == len({row.id for row in booked})
    sent: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for call in journal:
        (address,) = [lead.email for lead in leads if lead.email in str(call.body["messages"])]
        sent[address].append((call.status, "" if call.chaos else call.answer_id))
    for lead in leads:
        own = [row for row in booked if row.lead_id == lead.pk]
        assert [(row.http_status or 0, row.provider_request_id if row.success else "") for row in own] == sent[
            lead.email
        ]


def assert_each_lead_has_ended_once(runs: list[WorkflowRun], booked: list[AIUsage]) -> None:
    """Each step succeeded once, with the answer that is booked; a wrong answer costs nothing that is called zero."""
    for run in runs:
        assert {step.status for step in run.steps.all()} == {StepStatus.SUCCEEDED}
        assert EmailDraft.objects.filter(run=run).count() == 1
        answers = Counter(row.provider_request_id for row in booked if row.run_id == run.pk and row.success)
        # Research begins anew with each attempt; what it has led to is never asked for again.
        assert (answers["research-3"], answers["verdict-1"], answers["email-1"]) == (1, 1, 1)
    unknown = {row.error_code for row in booked if row.cost is None}
    assert unknown <= {"bad_response", "unreachable"}
