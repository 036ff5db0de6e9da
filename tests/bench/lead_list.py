"""The list of leads at 100,000 leads in one organisation beside twenty others: `python -m tests.bench.lead_list`.

Server time: the whole of Django, from the request to the rendered answer, without a socket. Names and messages
are drawn from a vocabulary in which few words are frequent and most are rare, as in people's own writing.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench.place import Sizes, bench, say

LEADS, OTHERS, LEADS_OF_OTHERS = 100_000, 20, 5_000
VISITS = 60
_WORDS = 5_000
_COLUMNS = (
    "id", "organization_id", "name", "email", "company", "phone", "message", "source", "status", "category",
    "assigned_to_id", "created_at", "last_activity_at",
)  # fmt: skip
# What each case asks for; `{person}` is one of the colleagues, `{cursor}` a place half way down.
CASES = {
    "first page": "",
    "half way down": "after={newest}",
    "oldest first": "sort=oldest",
    "last activity": "sort=activity",
    "last activity, half way down": "sort=activity&after={activity}",
    "status: needs attention (1 %)": "status=attention",
    "status: closed (60 %)": "status=closed",
    "verdict: qualified (25 %)": "category=QUALIFIED",
    "no verdict yet (10 %)": "category=none",
    "assigned to me (5 %)": "assigned=me",
    "assigned to nobody (50 %)": "assigned=nobody",
    "came by API (0.1 %)": "source=api",
    "last 7 days": "days=7",
    "three filters at once": "status=closed&category=QUALIFIED&assigned=me",
    "search: a rare word (5 leads)": "q=zebrafish",
    "search: a common word (half of all)": "q={common}",
    "search: two words": "q={common}+{uncommon}",
    "search: beginning of an address": "q=person4242@",
    "search: one letter": "q=b",
    "search: nothing found": "q=nosuchword",
    "search: a common word, closed, by activity": "q={common}&status=closed&sort=activity",
}


def fill(*, leads: int) -> dict[str, float]:
    """Put the leads there by COPY; seconds taken."""
    from django.db import connection

    from leadagent.tenants.models import Membership, Organization, Role, User

    chance = random.Random(7)  # nosec B311 - the same leads in every run
    busy, *others = Organization.objects.order_by("pk")[: OTHERS + 1]
    people = [User.objects.create_user(f"colleague{n}@bench.test", first_name=f"Colleague {n}") for n in range(10)]
    for person in people:
        Membership.objects.create(organization=busy, user=person, role=Role.MEMBER)
    begun = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(f"COPY leads_lead ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
        for organization, count in [(busy, leads), *((other, leads // 20) for other in others)]:
            for row in _rows(chance, organization.pk, count, [person.pk for person in people]):
                copy.write_row(row)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE leads_lead")
    return {"seconds": time.perf_counter() - begun}


def _rows(chance: random.Random, organization: int, count: int, people: list[int]) -> Iterator[tuple[Any, ...]]:
    from uuid6 import uuid7

    words = [_word(number) for number in range(_WORDS)]
    # Zipf: the second word half as often as the first, and so on.
    weights = [1 / (number + 1) for number in range(_WORDS)]
    now = datetime.now(UTC)
    for number in range(count):
        at = now - timedelta(minutes=number * 5)
        message = " ".join(chance.choices(words, weights, k=40))
        if number % (count // 5) == 7:
            message += " zebrafish"
        yield (
            uuid7(),
            organization,
            f"{_word(chance.randrange(_WORDS)).title()} {_word(chance.randrange(_WORDS)).title()}",
            f"person{number}@{_word(chance.randrange(_WORDS))}.example",
            f"{_word(chance.randrange(_WORDS)).title()} Ltd",
            "",
            message,
            "api" if chance.random() < 0.001 else chance.choice(("form", "form", "page")),
            chance.choices(("closed", "answered", "review", "attention", "new"), (60, 30, 5, 1, 4))[0],
            chance.choices(("QUALIFIED", "UNQUALIFIED", "SUPPORT", "FOLLOW_UP", ""), (25, 40, 10, 15, 10))[0],
            chance.choice(people) if chance.random() < 0.5 else None,
            at,
            at + timedelta(minutes=chance.randrange(100_000)),
        )


def _word(number: int) -> str:
    """A made-up word of its own for each number."""
    letters = "bcdfghklmnprstvz"
    vowels = "aeiou"
    text = ""
    for _ in range(3):
        number, at = divmod(number, len(letters))
        text += letters[at] + vowels[(number + at) % len(vowels)]
    return text


def measure(*, visits: int) -> list[dict[str, Any]]:
    """Each case as a colleague opens it: milliseconds at the median and at 95 %, and how many leads were shown."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import reverse

    from leadagent.tenants.models import Organization, User

    busy = Organization.objects.order_by("pk")[0]
    client = Client()
    client.force_login(User.objects.get(email="colleague0@bench.test"))
    where = reverse("leads:list", args=[busy.slug])
    # About half of all messages have the fifth of the words, one in twenty the sixtieth.
    names = {"common": _word(4), "uncommon": _word(60)} | {
        sort: _cursor(busy.pk, sort) for sort in ("newest", "activity")
    }
    found = []
    for case, query in CASES.items():
        address = f"{where}?{query.format(**names)}"
        taken = []
        for visit in range(visits + 1):
            begun = time.perf_counter()
            answer = client.get(address)
            if visit:  # the first one warms up
                taken.append(1000 * (time.perf_counter() - begun))
            assert answer.status_code == 200
        with CaptureQueriesContext(connection) as queries:
            shown = client.get(address).content.decode().count("row-link")
        taken.sort()
        found.append(
            {
                "case": case,
                "p50": taken[len(taken) // 2],
                "p95": taken[int(len(taken) * 0.95)],
                "shown": shown,
                "queries": len(queries),
                "slowest_query": max(float(query["time"]) for query in queries.captured_queries) * 1000,
            }
        )
    return found


def _cursor(organization: int, sort: str) -> str:
    from leadagent.leads.models import Lead

    column = "last_activity_at" if sort == "activity" else "created_at"
    leads = Lead.objects.filter(organization=organization)
    lead = leads.order_by(f"-{column}", "-pk")[leads.count() // 2]
    return f"{sort}_{getattr(lead, column).astimezone(UTC).isoformat().replace('+00:00', 'Z')}_{lead.pk}"


def main() -> None:
    """Fill, measure, print a table."""
    quick = "--quick" in sys.argv
    with bench(Sizes.quick()) as made:
        worker = made.worker_on("small")
        leads = LEADS // 100 if quick else LEADS
        say(f"Filling one organisation with {leads:,} leads and {OTHERS} others with {leads // 20:,} each")
        filled = worker.do("lead_list.fill", leads=leads)
        say(f"  {filled['seconds']:.0f} s")
        print("| list | p50, ms | p95, ms | shown | queries | slowest query, ms |\n|---|---|---|---|---|---|")
        for row in worker.do("lead_list.measure", visits=3 if quick else VISITS):
            print(
                f"| {row['case']} | {row['p50']:.0f} | {row['p95']:.0f} | {row['shown']} | {row['queries']} "
                f"| {row['slowest_query']:.0f} |"
            )


if __name__ == "__main__":
    main()
