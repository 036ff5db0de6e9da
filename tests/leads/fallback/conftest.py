"""A platform with an AI of its own, a run, and workers that go on until nobody is told to."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from leadagent.leads import tasks
from leadagent.leads.models import WorkflowRun
from leadagent.tenants.models import Organization
from tests.leads.conftest import Nudges
from tests.leads.factories import LeadFactory, run_for

Work = Callable[[WorkflowRun], WorkflowRun]


@pytest.fixture(autouse=True)
def platform(settings: Settings) -> None:
    settings.PLATFORM_PROVIDER, settings.PLATFORM_KEYS = "openai", {"openai": "sk-proj-PLATFORMplatform0000"}
    settings.PLATFORM_EMBEDDING_MODEL = "text-embedding-3-small"


@pytest.fixture
def run(organization: Organization) -> WorkflowRun:
    return run_for(LeadFactory(organization=organization))


@pytest.fixture
def work(nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Work:
    """`work(run)`: what workers do until nobody is told to go on at once; the run as it is then."""

    def until_quiet(run: WorkflowRun) -> WorkflowRun:
        nudges.sent = [("advance_run", run.pk, timedelta(0))]
        while due := [entry for entry in nudges.take() if entry[2] == timedelta(0)]:
            for _, run_id, _ in due:
                with django_capture_on_commit_callbacks(execute=True):
                    tasks.advance_run(str(run_id))
        return WorkflowRun.objects.select_related("lead", "organization").get(pk=run.pk)

    return until_quiet
