"""How prices and places of the catalog are written."""

from decimal import Decimal

from django import template

from usage.formats import rate

register = template.Library()


@register.filter
def price(amount: Decimal | None) -> str:
    """A price per million tokens as `rate` has it, such as `$0.075`; 0 as `free`."""
    return "free" if amount == 0 else rate(amount)
