"""Whoever has the id of a request finds what came of it in the log of another process."""

import re

from tests.flows.test_workflow import LEAD
from tests.serving import Served, Visitor, until

GIVEN = "flow-4bf92f3577b34da6"


def test_the_workers_lines_about_a_lead_name_the_request_that_brought_it(served: Served, admin: Visitor) -> None:
    lead = admin.hand_in_lead(request_id=GIVEN, **LEAD)
    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed", "paused")

    log = served.state / "log"
    advanced = rf"^.* task task=leadagent\.leads\.tasks\.advance_run state=SUCCESS .*request_id={GIVEN}\b"
    until(
        lambda: len(re.findall(advanced, (log / "worker.log").read_text(), re.MULTILINE)) >= 3, "three steps are told"
    )
    [line] = [line for line in (log / "web.log").read_text().splitlines() if f"request_id={GIVEN}" in line]
    assert " request method=POST route=api:" in line
    assert " organization=acme" in line
    assert run["id"] not in line
