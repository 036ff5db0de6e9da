"""The sweep, and what becomes of a nudge."""

from datetime import timedelta
from uuid import uuid4

import pytest
from kombu.exceptions import OperationalError

from leadagent.celery import app
from leadagent.leads import tasks
from leadagent.leads.models import WorkflowRun
from leadagent.leads.running.leases import fail_step
from leadagent.leads.running.run_state import StepFailure
from tests.leads.conftest import Nudges
from tests.leads.factories import DocumentFactory, LeadFactory, claimed, run_for


@pytest.mark.django_db
def test_the_sweep_tells_about_runs_and_documents_once(nudges: Nudges) -> None:
    run, document = run_for(LeadFactory()), DocumentFactory()

    tasks.sweep_runs()
    tasks.sweep_runs()

    now = timedelta(0)
    assert nudges.take() == [("advance_run", run.pk, now), ("index_document", document.pk, now)]


@pytest.mark.django_db
def test_a_run_that_waits_for_a_person_is_left_alone(nudges: Nudges) -> None:
    run = run_for(LeadFactory())
    fail_step(claimed(run), StepFailure("invalid_key", "Save a new key.", permanent=True, needs_admin=True))

    tasks.sweep_runs()
    tasks.advance_run(str(run.pk))

    assert nudges.sent == []
    assert WorkflowRun.objects.get(pk=run.pk).status == "paused"


@pytest.mark.django_db
def test_a_nudge_about_what_is_gone_does_nothing(nudges: Nudges) -> None:
    tasks.advance_run(str(uuid4()))
    tasks.send_email(str(uuid4()))
    tasks.index_document(str(uuid4()))

    assert nudges.sent == []


class TestTelling:
    @pytest.fixture(autouse=True)
    def real(self, nudges: Nudges, monkeypatch: pytest.MonkeyPatch) -> None:
        """These are about the real thing."""
        monkeypatch.undo()

    def test_only_the_id_goes_to_the_broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[tuple[object, dict[str, object]]] = []
        monkeypatch.setattr(tasks.advance_run, "apply_async", lambda args, **options: sent.append((args, options)))
        run_id = uuid4()

        tasks._tell(tasks.advance_run, run_id)
        tasks._tell(tasks.advance_run, run_id, after=timedelta(seconds=5))

        assert sent == [
            ([str(run_id)], {"countdown": None, "retry": False}),
            ([str(run_id)], {"countdown": 5.0, "retry": False}),
        ]

    def test_a_long_pause_is_left_to_the_sweep(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[object] = []
        monkeypatch.setattr(tasks.advance_run, "apply_async", lambda *args, **options: sent.append(args))

        tasks._tell(tasks.advance_run, uuid4(), after=timedelta(minutes=10))

        assert sent == []

    def test_a_broker_that_is_away_stops_nobody(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def away(*args: object, **options: object) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr(tasks.send_email, "apply_async", away)

        tasks._tell(tasks.send_email, uuid4())

        assert "the sweep will" in caplog.text


def test_beat_and_workers_know_the_tasks() -> None:
    app.loader.import_default_modules()
    names = {f"leadagent.leads.tasks.{name}" for name in ("advance_run", "send_email", "index_document", "sweep_runs")}

    assert names <= set(app.tasks)
    assert app.conf.beat_schedule["sweep-workflow-runs"]["task"] in names
    assert all(app.tasks[name].acks_late for name in names)
