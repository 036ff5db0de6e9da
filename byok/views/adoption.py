"""The adoption page of Django admin: the product's success metrics, for support staff."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from byok.adoption.figures import Section
from byok.adoption.gathering import adoption
from byok.adoption.measured import measure
from byok.adoption.page import sections
from byok.adoption.period import PERIODS, Period
from leadagent.tenants import audit
from leadagent.tenants.csv_rows import csv_response

_DEFAULT = 90
_HEADING = ("section", "figure", "row", "column", "value", "unit", "how")


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The figures of the last `days` days (30, 90 or 365)."""
    period = _period(request)
    audit.record("support.viewed", organization=None, target=f"adoption, {period.days} days", request=request)
    context = {
        **admin.site.each_context(request),
        "title": "Adoption",
        "period": period,
        "periods": PERIODS,
        "sections": sections(adoption(period), measure()),
    }
    return TemplateResponse(request, "admin/adoption.html", context)


@require_safe
def figures_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same figures as a CSV file: numbers plain, shares between 0 and 1, empty where nothing is known."""
    period = _period(request)
    audit.record("support.viewed", organization=None, target=f"adoption as CSV, {period.days} days", request=request)
    rows = [row for section in sections(adoption(period), measure()) for row in _rows(section)]
    return csv_response(f"adoption-{period.days}-days-to-{period.end}.csv", _HEADING, rows)


def _rows(section: Section) -> list[list[str]]:
    rows = [
        [section.title, f.label, "", "", _number(f.value.number), f.value.unit.value, f.how] for f in section.figures
    ]
    for chart in section.charts:
        for line in chart.lines:
            for header, value in zip(chart.headers[1:], line.values, strict=True):
                rows.append(
                    [section.title, chart.title, line.label, header, _number(value.number), value.unit, chart.how]
                )
    return rows


def _number(number: object) -> str:
    return "" if number is None else str(number)


def _period(request: HttpRequest) -> Period:
    asked = request.GET.get("days", "")
    return Period.last(int(asked) if asked in {str(days) for days in PERIODS} else _DEFAULT)
