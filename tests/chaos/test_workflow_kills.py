"""A worker is killed at every point of a step: the run goes on where it was, and nothing is done twice.

The points are held open from outside (a locked row, a slow provider, a broker that does not
answer), so that the product itself knows nothing of them. Short runs kill at each point, `make
chaos` at each point of each step.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.chaos.lab import Lab, Tenant, until
from tests.chaos.tally import Tally, tally

Counted = Callable[[Tally], None]
STEPS = ("research", "qualification", "email_generation")
# The point, and how often the step is begun in all when its worker is killed there.
POINTS = {"before the claim": 1, "in the call": 2, "after the answer": 2, "after the storing": 1}
SHORT = [
    ("before the claim", "qualification"),
    ("in the call", "email_generation"),
    ("after the answer", "email_generation"),
    ("after the storing", "research"),
]
ALL = [(point, step) for point in POINTS for step in STEPS]
KILLS = ALL if os.environ.get("LEADAGENT_CHAOS") == "long" else SHORT

_WAITING_AT_A_LEAD = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query LIKE '%%leads_lead%%' AND query LIKE '%%FOR NO KEY UPDATE%%'
"""


class Run:
    """One run of a tenant, looked at from outside."""

    def __init__(self, tenant: Tenant, *, done: int) -> None:
        self.lab, self.tenant = tenant.lab, tenant
        self.id: str = self.lab.control.ask("lead", organization=tenant.number, done=done)

    def nudge(self) -> None:
        self.lab.control.ask("nudge", run=self.id)

    def wait_for(self, step: str, state: str) -> None:
        sql = "SELECT count(*) FROM leads_step WHERE run_id = %s AND name = %s AND status = %s"
        until(lambda: self.lab.query(sql, self.id, step, state)[0][0], f"{step} is {state}")

    @property
    def status(self) -> str:
        return str(self.lab.query("SELECT status FROM leads_workflowrun WHERE id = %s", self.id)[0][0])

    @contextmanager
    def lead_locked(self) -> Iterator[None]:
        """Whoever claims or stores has to wait at the lead's row."""
        lead = "SELECT FROM leads_lead WHERE id = (SELECT lead_id FROM leads_workflowrun WHERE id = %s) FOR UPDATE"
        with psycopg.connect(self.lab.database_url) as connection:
            connection.execute(lead, [self.id])
            yield
            connection.rollback()

    def wait_for_a_blocked_worker(self) -> None:
        until(lambda: self.lab.query(_WAITING_AT_A_LEAD)[0][0], "a worker waits at the lead's row")

    def let_a_minute_pass(self) -> None:
        """The dead worker's lease is over, its nudge counts as lost, and beat fires, twice."""
        over = "UPDATE leads_step SET lease_expires_at = now() WHERE run_id = %s AND lease_expires_at IS NOT NULL"
        self.lab.query(over, self.id)
        lost = "UPDATE leads_workflowrun SET nudged_at = now() - interval '1 minute' WHERE id = %s"
        self.lab.query(lost, self.id)
        self.lab.control.ask("tasks", names=["leadagent.leads.tasks.sweep_runs"], times=2)

    def effects(self) -> dict[str, int]:
        """How often each of the things was done that must be done once, and emails that left."""
        whose = {
            "leads": "leads_lead WHERE organization_id = %s",
            "runs": "leads_workflowrun WHERE organization_id = %s",
        }
        of_the_run = {
            "drafts": "leads_emaildraft WHERE run_id = %s",
            "emails": "leads_emaildraft WHERE run_id = %s AND status <> 'draft'",
        }
        counts = {
            name: self.lab.query(f"SELECT count(*) FROM {sql}", self.tenant.number) for name, sql in whose.items()
        }
        counts |= {name: self.lab.query(f"SELECT count(*) FROM {sql}", self.id) for name, sql in of_the_run.items()}
        return {name: found[0][0] for name, found in counts.items()}


@contextmanager
def broker_silent(lab: Lab) -> Iterator[None]:
    """The broker takes what it is sent and answers nobody. It is the lab's own."""
    with lab.redis_client() as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def kill_at(point: str, step: str, run: Run) -> None:
    """Let the worker come to that point of that step, and kill it with all its children."""
    worker = run.lab.worker
    if point == "before the claim":
        with run.lead_locked():
            run.nudge()
            run.wait_for_a_blocked_worker()
            worker.kill()
        return
    run.nudge()
    run.wait_for(step, "running")
    match point:
        case "in the call":
            until(run.tenant.recorded, "the call has arrived")
            worker.kill()
        case "after the answer":
            with run.lead_locked():
                run.wait_for_a_blocked_worker()
                worker.kill()
        case "after the storing":
            with broker_silent(run.lab):
                # The next thing that it does is to tell the broker.
                run.wait_for(step, "succeeded")
                worker.kill()


@pytest.mark.parametrize(("point", "step"), KILLS)
def test_a_worker_is_killed(lab: Lab, counted: Counted, point: str, step: str) -> None:
    tenant = lab.tenant("slow1")
    run = Run(tenant, done=STEPS.index(step))
    until(lambda: lab.worker.process.poll() is None, "there is a worker")

    kill_at(point, step, run)

    # Once the last step is stored there is nothing left to do.
    is_over = (point, step) == ("after the storing", STEPS[-1])
    assert run.status in (("awaiting_review",) if is_over else ("queued", "running"))
    lab.restart_worker()
    run.let_a_minute_pass()
    until(lambda: run.status == "awaiting_review", "the run has come to its end", seconds=60)
    assert run.effects() == {"leads": 1, "runs": 1, "drafts": 1, "emails": 0}
    begun = dict(lab.query("SELECT name, attempts FROM leads_step WHERE run_id = %s", run.id))
    assert begun == dict.fromkeys(STEPS, 1) | {step: POINTS[point]}
    tenant.give_up_open_calls()
    counted(tally(f"worker killed {point} of {step}", tenant))


def test_a_worker_that_is_told_to_stop_ends_its_step_first(lab: Lab, counted: Counted) -> None:
    tenant = lab.tenant("slow2")
    run = Run(tenant, done=0)
    until(lambda: lab.worker.process.poll() is None, "there is a worker")
    run.nudge()
    until(tenant.recorded, "the call has arrived")

    # As `docker compose stop` does it: the main process only. Its supervisor starts the next one.
    [told] = children_of(lab.worker.process.pid)
    os.kill(told, signal.SIGTERM)
    until(lambda: not Path(f"/proc/{told}").exists(), "the worker has ended")

    how = "SELECT status, attempts, workers_lost FROM leads_step WHERE run_id = %s AND name = %s"
    ended = lab.query(how, run.id, STEPS[0])
    assert ended == [("succeeded", 1, 0)], "what it had begun it has stored"
    until(lambda: run.status == "awaiting_review", "the next worker has gone on", seconds=60)
    begun = dict(lab.query("SELECT name, attempts FROM leads_step WHERE run_id = %s", run.id))
    assert begun == dict.fromkeys(STEPS, 1)
    assert run.effects() == {"leads": 1, "runs": 1, "drafts": 1, "emails": 0}
    counted(tally("worker told to stop in a call", tenant))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
