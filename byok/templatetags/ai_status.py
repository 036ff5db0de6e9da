"""The compact line of this month's AI on an organisation's pages."""

from typing import Any

from django import template

from byok.provider_names import provider_label
from usage.analytics import get_total_cost_by_period
from usage.utc_days import current_month

register = template.Library()


@register.inclusion_tag("components/usage_strip.html", takes_context=True)
def usage_strip(context: template.Context) -> dict[str, Any]:
    """This month's requests and cost, and the free tier's meter or the badge. Reads the context of the shell."""
    return {
        "organization": context["organization"],
        "is_admin": context["is_admin"],
        "ai_status": context["ai_status"],
        "totals": get_total_cost_by_period(context["organization"], *current_month()),
    }


@register.filter
def provider_name(provider: str) -> str:
    """A provider as people call it; one that is no longer offered as it was stored."""
    return provider_label(provider)
