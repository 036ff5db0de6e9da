"""What came of the leads in a period, for the usage page: what the AI's cost is divided by."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from leadagent.leads.models import Category, DraftStatus, WorkflowRun
from leadagent.tenants.models import Organization
from usage.analytics.contributions import Outcome


def count_outcomes(organization: Organization, start: date, end: date) -> list[Outcome]:
    """Leads that a run begun in the period found qualified, and emails sent in it. UTC days, half-open; two queries."""
    since, until = (datetime.combine(day, time.min, UTC) for day in (start, end))
    runs = WorkflowRun.objects.main().filter(organization=organization)
    begun = runs.filter(created_at__gte=since, created_at__lt=until)
    qualified = begun.filter(category=Category.QUALIFIED).values("lead").distinct().count()
    # A run is over when its email has gone out.
    ended = runs.filter(finished_at__gte=since, finished_at__lt=until)
    sent = ended.filter(draft__status=DraftStatus.SENT).count()
    return [Outcome("qualified lead", qualified, "qualified"), Outcome("email sent", sent, "sent")]
