"""The list of organisations: free tier and requests of this month, as columns and as a filter."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin import SimpleListFilter
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from leadagent.tenants.support_page import Column, add_column, add_filter
from usage.models import FreeTierMonth, UsageDaily
from usage.spending.quota import FreeTier
from usage.utc_days import current_month, first_of_month


class FreeTierFilter(SimpleListFilter):
    title = "free tier this month"
    parameter_name = "free_tier"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("full", "used up"), ("warned", "nine tenths used"), ("some", "some used"), ("none", "none used")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        limit = settings.FREE_TIER_REQUESTS
        warned = FreeTier(0, limit).warn_from
        match self.value():
            case "full":
                return queryset.filter(free_used__gte=limit)
            case "warned":
                return queryset.filter(free_used__gte=warned, free_used__lt=limit)
            case "some":
                return queryset.filter(free_used__gt=0, free_used__lt=warned)
            case "none":
                return queryset.filter(free_used=0)
        return queryset


def _free_used() -> dict[str, Combinable]:
    months = FreeTierMonth.objects.filter(organization=OuterRef("pk"), month=first_of_month())
    return {"free_used": Coalesce(Subquery(months.values("used")[:1]), 0)}


def _requests_this_month() -> dict[str, Combinable]:
    start, end = current_month()
    days = UsageDaily.objects.filter(organization=OuterRef("pk"), day__gte=start, day__lt=end).order_by()
    sums = days.values("organization").annotate(sum=Sum("requests")).values("sum")
    return {"requests_this_month": Coalesce(Subquery(sums), 0)}


add_column(
    40,
    Column(
        "Free tier",
        lambda organization: f"{organization.free_used} of {settings.FREE_TIER_REQUESTS}",
        _free_used,
        order_by="free_used",
    ),
)
add_column(
    50,
    Column(
        "Requests",
        lambda organization: f"{organization.requests_this_month:,}",
        _requests_this_month,
        order_by="requests_this_month",
    ),
)
add_filter(FreeTierFilter)
