"""What a lead takes from coming in to its draft, on the sandbox: `python -m tests.bench.lead_runs` (`--leads 60`).

The product runs as `make run` starts it: web, one worker with its usual processes, beat, the sandbox as the provider. Leads
are handed in by the API, so many at a time, and followed until a person could approve their email. The sandbox
answers at once: the seconds are the product's own, and a provider's come on top. Tokens are the sandbox's, which
counts four characters as one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.serving import Served, Visitor, serving, until

AT_ONCE = 4
SECONDS = 900
OPEN = ("queued", "running", "waiting")
# Buyers, askers, customers, strangers: each takes another way through the sandbox's rules.
MESSAGES = (
    "We are a team of {n} people and would like pricing for a rollout in March. Our budget is approved.",
    "Could you tell us more? We read about you in a newsletter and answer about {n} enquiries a week by hand.",
    "Since this morning our export stops at row {n}. We are on the team plan, please help.",
    "We place your links on {n} sites for $99. Interested? It is the best offer of the year.",
    "Please send a quote for {n} licences. Our present vendor's contract ends in June, and we need an API and SSO.",
)


def main() -> None:
    """Hand in, wait, print two tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lead_runs", description=__doc__)
    parser.add_argument("--leads", type=int, default=60, metavar="N")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, metavar="N")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lead-runs-") as state, serving(Path(state)) as served:
        begun = time.monotonic()
        leads = _handed_in(served, wanted.leads, wanted.at_once)
        _print(served, leads, seconds=time.monotonic() - begun, at_once=wanted.at_once)


def _handed_in(served: Served, count: int, at_once: int) -> list[str]:
    """Ids of the leads, once all their runs have ended."""
    leads: list[str] = []
    with Visitor(served, "member@demo.test") as visitor:
        for number in range(count):
            until(lambda: _open(served, leads) < at_once, "a lead is done", SECONDS)
            company = f"Company {number}"
            lead = visitor.hand_in_lead(
                name=f"Person {number}",
                email=f"person{number}@company{number}.example",
                company=company,
                message=MESSAGES[number % len(MESSAGES)].format(n=10 + number),
            )
            leads.append(lead["id"])
    until(lambda: not _open(served, leads), "all leads are done", SECONDS)
    waiting = "SELECT count(*) FROM usage_usageinbox"
    until(lambda: served.query(waiting)[0][0] == 0, "all calls are booked", SECONDS)
    return leads


def _open(served: Served, leads: list[str]) -> int:
    runs = "SELECT count(*) FROM leads_workflowrun WHERE lead_id = ANY(%s::uuid[]) AND status = ANY(%s)"
    return int(served.query(runs, leads, list(OPEN))[0][0])


def _print(served: Served, leads: list[str], *, seconds: float, at_once: int) -> None:
    ended = served.query(
        "SELECT status, count(*) FROM leads_workflowrun WHERE lead_id = ANY(%s::uuid[]) GROUP BY 1 ORDER BY 1", leads
    )
    print(f"{len(leads)} leads, {at_once} at a time, in {seconds:.0f} s: {len(leads) / seconds * 60:.0f} a minute")
    print("Ended: " + ", ".join(f"{count} {status}" for status, count in ended))
    quotes = served.query(
        "SELECT count(*), count(*) FILTER (WHERE one->>'source' <> '') FROM leads_workflowrun, "
        "jsonb_array_elements(reasons) one WHERE lead_id = ANY(%s::uuid[])",
        leads,
    )[0]
    print(f"Reasons: {quotes[0]}, of which {quotes[1]} quote the report or the message\n")
    print("| | calls p50, p95 | tokens p50, p95 | seconds p50, p95 |\n|---|---|---|---|")
    of_lead: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, calls, tokens, took in _steps(served, leads):
        for figure, value in (("calls", calls), ("tokens", tokens), ("seconds", took)):
            of_lead[name][figure].append(float(value))
    for name in ("research", "qualification", "email_generation", "the whole lead"):
        found = of_lead[name]
        print(
            f"| {name.replace('_', ' ')} | {_middle_and_end(found['calls'], '.0f')} "
            f"| {_middle_and_end(found['tokens'], ',.0f')} | {_middle_and_end(found['seconds'], '.2f')} |"
        )
    agent = served.query(
        "SELECT count(*) FROM leads_agentstep s JOIN leads_workflowrun r ON r.id = s.run_id "
        "WHERE r.lead_id = ANY(%s::uuid[]) GROUP BY r.id",
        leads,
    )
    print(
        f"\nSteps of the research agent per lead: {_middle_and_end([float(row[0]) for row in agent], '.0f')} (p50, p95)"
    )


def _steps(served: Served, leads: list[str]) -> list[tuple[Any, ...]]:
    """(step, calls, tokens, seconds) of each step of each lead, and of each lead from its coming in to its draft."""
    booked = "CASE operation WHEN 'embedding' THEN 'research' ELSE operation END"
    of_steps = served.query(
        f"""
        SELECT s.name, coalesce(u.calls, 0), coalesce(u.tokens, 0), extract(epoch FROM s.finished_at - s.started_at)
        FROM leads_step s JOIN leads_workflowrun r ON r.id = s.run_id
        LEFT JOIN (
            SELECT run_id, {booked} AS name, count(*) AS calls, sum(total_tokens) AS tokens
            FROM usage_aiusage GROUP BY 1, 2
        ) u ON u.run_id = r.id AND u.name = s.name
        WHERE r.lead_id = ANY(%s::uuid[]) AND s.status = 'succeeded'
        """,
        leads,
    )
    whole = served.query(
        """
        SELECT 'the whole lead', count(u.id), coalesce(sum(u.total_tokens), 0),
            extract(epoch FROM (SELECT max(finished_at) FROM leads_step WHERE run_id = r.id) - l.created_at)
        FROM leads_workflowrun r JOIN leads_lead l ON l.id = r.lead_id LEFT JOIN usage_aiusage u ON u.run_id = r.id
        WHERE r.lead_id = ANY(%s::uuid[]) AND r.status = 'awaiting_review' GROUP BY r.id, l.created_at
        """,
        leads,
    )
    return of_steps + whole


def _middle_and_end(values: list[float], form: str) -> str:
    if len(values) < 2:
        return "–"
    return f"{median(values):{form}}, {quantiles(values, n=20)[-1]:{form}}"


if __name__ == "__main__":
    main()
