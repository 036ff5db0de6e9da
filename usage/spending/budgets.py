"""Hard budgets per UTC month: reserved before a call, and so never passed.

A call reserves the most that it may cost by one atomic statement, for all operations and
for its own at once: both budgets hold it, or neither is touched. At its end the reservation
becomes the call's known cost. An unknown cost keeps the whole reservation.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import psycopg
from psycopg_pool import PoolTimeout

from usage.models import Budget, BudgetMonth
from usage.recording import durable
from usage.utc_days import first_of_month

# The locks are taken in one order, so that no two calls wait for each other.
_RESERVE = """
WITH budget AS MATERIALIZED (
    SELECT operation, hard FROM usage_budget
    WHERE organization_id = %(organization)s AND operation IN ('', %(operation)s) AND hard IS NOT NULL
), held AS MATERIALIZED (
    SELECT month.id, month.operation, month.taken, budget.hard
    FROM usage_budgetmonth AS month JOIN budget USING (operation)
    WHERE month.organization_id = %(organization)s AND month.month = %(month)s
    ORDER BY month.operation FOR UPDATE OF month
), verdict AS MATERIALIZED (
    SELECT count(*) = (SELECT count(*) FROM budget) AS complete, bool_and(taken + %(amount)s <= hard) AS fits FROM held
), changed AS (
    UPDATE usage_budgetmonth AS month SET taken = month.taken + %(amount)s, updated_at = now()
    FROM held, verdict WHERE month.id = held.id AND verdict.complete AND verdict.fits
    RETURNING month.id
)
SELECT verdict.complete, coalesce(verdict.fits, true), held.id, held.operation, held.taken, held.hard,
       (SELECT count(*) FROM changed)
FROM verdict LEFT JOIN held ON true
"""

_BEGIN_MONTH = """
INSERT INTO usage_budgetmonth (organization_id, operation, month, taken, updated_at)
SELECT organization_id, operation, %(month)s, 0, now() FROM usage_budget
WHERE organization_id = %(organization)s AND operation IN ('', %(operation)s) AND hard IS NOT NULL
ON CONFLICT (organization_id, operation, month) DO NOTHING
"""

_SETTLE = """
UPDATE usage_budgetmonth SET taken = greatest(taken - %(amount)s + %(cost)s, 0), updated_at = now()
WHERE id = ANY(%(rows)s)
"""


class BudgetUnavailable(Exception):
    """PostgreSQL could not be asked."""


class BudgetReached(Exception):
    """A call does not fit into a hard budget any more. The text tells an admin what stopped and how to go on.

    `needed`: US dollars that the call may cost.
    """

    def __init__(self, sentence: str, *, needed: Decimal) -> None:
        self.needed = needed
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class BudgetReservation:
    """`amount` US dollars, held in each of `rows`."""

    rows: tuple[int, ...]
    amount: Decimal


def reserve(organization_id: int, operation: str, amount: Decimal) -> BudgetReservation | None:
    """Hold `amount` in every hard budget that the call counts against; None where there is none.

    Raises `BudgetReached`, and `BudgetUnavailable` while PostgreSQL is away. Exact at any concurrency.
    """
    month = first_of_month()
    values = {"organization": organization_id, "operation": operation, "month": month, "amount": amount}
    try:
        with durable.connection() as connection:
            found = connection.execute(_RESERVE, values).fetchall()
            if not found[0][0]:
                # The first call of a month.
                connection.execute(_BEGIN_MONTH, values)
                found = connection.execute(_RESERVE, values).fetchall()
    except (psycopg.OperationalError, PoolTimeout):
        raise BudgetUnavailable from None
    held = [row for row in found if row[2] is not None]
    if not held:
        return None
    if not found[0][1]:
        _, _, row_id, whose, taken, hard, _ = next(row for row in held if row[4] + amount > row[5])
        _note_refusal(row_id)
        raise BudgetReached(_sentence(whose, month, hard=hard, taken=taken, amount=amount), needed=amount)
    return BudgetReservation(tuple(row[2] for row in held), amount)


def settle(reservation: BudgetReservation, cost: Decimal | None) -> None:
    """Put a call's known cost in the place of what was held for it; an unknown cost (None) keeps it.

    While PostgreSQL is away the reservation stays: never in anybody's favour twice.
    """
    if cost is None:
        return
    values = {"rows": list(reservation.rows), "amount": reservation.amount, "cost": cost}
    try:
        with durable.connection() as connection:
            connection.execute(_SETTLE, values)
    except (psycopg.OperationalError, PoolTimeout):
        return


def _note_refusal(row_id: int) -> None:
    """For the alert: that a budget stops calls can be true before its last cent is spent."""
    with suppress(psycopg.OperationalError, PoolTimeout), durable.connection() as connection:
        connection.execute(
            "UPDATE usage_budgetmonth SET refused_at = now() WHERE id = %s AND refused_at IS NULL", [row_id]
        )


def room_for(organization_id: int, operation: str) -> Decimal | None:
    """US dollars that a call for `operation` may still take of this month's hard budgets; None where there is none."""
    whose = {"organization_id": organization_id, "operation__in": ("", operation)}
    hard = dict(Budget.objects.filter(**whose, hard__isnull=False).values_list("operation", "hard"))
    taken = dict(BudgetMonth.objects.filter(**whose, month=first_of_month()).values_list("operation", "taken"))
    return min((limit - taken.get(name, Decimal(0)) for name, limit in hard.items() if limit is not None), default=None)


def _sentence(operation: str, month: date, *, hard: Decimal, taken: Decimal, amount: Decimal) -> str:
    what = f"for {operation.replace('_', ' ')} " if operation else ""
    return (
        f"The AI budget of ${hard:,.2f} {what}for {month:%B %Y} is reached: ${taken:,.4f} is spent or held for calls "
        f"under way, and this call may cost up to ${amount:,.4f}. Nothing was sent. An admin can raise the budget "
        "under Settings, Alerts and budgets, and then resume; a new month (UTC) begins with the whole budget."
    )
