"""The same formats for templates, under the same names."""

from django import template

from usage import formats

register = template.Library()

for written in (
    formats.money,
    formats.rate,
    formats.cents,
    formats.percent,
    formats.seconds,
    formats.operation_label,
    formats.tokens,
):
    register.filter(written)
