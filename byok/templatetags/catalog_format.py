"""How prices and places of the catalog are written."""

from decimal import Decimal

from django import template

from usage.templatetags.usage_format import UNKNOWN

register = template.Library()


@register.filter
def price(amount: Decimal | None) -> str:
    """US dollars to the last digit: `$3.00`, `$0.075`, `$1.125`; 0 as `free`, None as `unknown`."""
    if amount is None:
        return UNKNOWN
    if amount == 0:
        return "free"
    whole, _, decimals = f"{amount:,f}".partition(".")
    return f"${whole}.{decimals.rstrip('0'):0<2}"
