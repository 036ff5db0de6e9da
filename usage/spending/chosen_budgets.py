"""The budgets that an organisation has chosen, and what a month has taken of them: for the people who set them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection, transaction
from django.http import HttpRequest

from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.models import Budget, BudgetMonth
from usage.spending import limits
from usage.utc_days import first_of_month

# What a month has cost so far when a hard budget is set in the middle of it: the rollup and what waits to enter it.
_COUNT_SO_FAR = """
INSERT INTO usage_budgetmonth AS month (organization_id, operation, month, taken, updated_at)
SELECT %(organization)s, %(operation)s, %(month)s, (
    SELECT coalesce(sum(actual_cost + estimated_cost), 0) FROM usage_usagedaily
    WHERE organization_id = %(organization)s AND %(operation)s IN ('', operation)
    AND day >= %(month)s AND day < (%(month)s::date + interval '1 month')
) + (
    SELECT coalesce(sum(coalesce((payload->>'actual_cost')::numeric, (payload->>'estimated_cost')::numeric)), 0)
    FROM usage_usageinbox WHERE kind = 'finished'
    AND payload->>'organization_id' = %(organization)s::text AND %(operation)s IN ('', payload->>'operation')
    AND payload->>'created_at' >= to_char(%(month)s::date, 'YYYY-MM-DD')
), now()
ON CONFLICT (organization_id, operation, month) DO UPDATE SET taken = greatest(month.taken, excluded.taken)
"""


@dataclass(frozen=True, slots=True)
class BudgetChoice:
    """US dollars per month; None where none is set."""

    soft: Decimal | None = None
    hard: Decimal | None = None


def budgets_of(organization: Organization) -> dict[str, BudgetChoice]:
    """Operation (empty for all) -> what is set; only what is set."""
    return {row.operation: BudgetChoice(row.soft, row.hard) for row in Budget.objects.filter(organization=organization)}


def taken_this_month(organization: Organization) -> dict[str, Decimal]:
    """Operation -> US dollars that this month's calls have taken of its hard budget, held ones included."""
    rows = BudgetMonth.objects.filter(organization=organization, month=first_of_month())
    return dict(rows.values_list("operation", "taken"))


def save_budgets(
    organization: Organization,
    choices: Mapping[str, BudgetChoice],
    *,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> bool:
    """Store what is given as the organisation's budgets and nothing else; False where nothing changed.

    What this month has cost already counts against a new hard budget.
    """
    wanted = {operation: choice for operation, choice in choices.items() if choice != BudgetChoice()}
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        before = budgets_of(organization)
        if wanted == before:
            return False
        Budget.objects.filter(organization=organization).exclude(operation__in=wanted).delete()
        for operation, choice in wanted.items():
            if choice.hard is not None and before.get(operation, BudgetChoice()).hard is None:
                _count_so_far(organization, operation)
            Budget.objects.update_or_create(
                organization=organization,
                operation=operation,
                defaults={"soft": choice.soft, "hard": choice.hard},
            )
        BudgetMonth.objects.filter(organization=organization, month=first_of_month()).update(refused_at=None)
        audit.record(
            "budget.saved",
            organization=organization,
            actor=actor,
            before=_as_json(before.items()),
            after=_as_json(wanted.items()),
            request=request,
        )
        transaction.on_commit(limits.forget)
    limits.forget()
    return True


def _count_so_far(organization: Organization, operation: str) -> None:
    values: dict[str, int | str | date] = {
        "organization": organization.pk,
        "operation": operation,
        "month": first_of_month(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_SO_FAR, values)


def _as_json(budgets: Iterable[tuple[str, BudgetChoice]]) -> dict[str, str]:
    """Plain values for the audit log; sums as text, so that nothing is rounded."""
    return {
        f"{operation or 'all'} ({kind})": str(amount)
        for operation, choice in sorted(budgets)
        for kind, amount in (("soft", choice.soft), ("hard", choice.hard))
        if amount is not None
    }
