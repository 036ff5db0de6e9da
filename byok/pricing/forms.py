"""What one types in to add a negotiated price."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone

from byok.models import PriceColumns, provider_choices
from byok.pricing.negotiated import MAX_DECIMALS
from leadagent.tenants.misplaced_keys import RefusesMisplacedKeys


def _price_field(label: str, *, required: bool = False, hint: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        required=required,
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=MAX_DECIMALS,
        label=label,
        help_text=hint,
        error_messages={
            "invalid": "Enter dollars per million tokens, for example 2.50.",
            "min_value": "A price is not below 0.",
            "max_decimal_places": f"Enter a price with at most {MAX_DECIMALS} decimals.",
            "max_digits": "Enter a price below 1,000,000.",
            "max_whole_digits": "Enter a price below 1,000,000.",
        },
        widget=forms.TextInput(attrs={"class": "short", "inputmode": "decimal", "autocomplete": "off"}),
    )


class NegotiatedPriceForm(RefusesMisplacedKeys):
    """One model's agreed prices. What they may be is settled in `byok.pricing.negotiated`."""

    provider = forms.ChoiceField(choices=provider_choices, label="Provider")
    model = forms.CharField(
        max_length=200,
        label="Model",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    input_price = _price_field("Input", required=True)
    output_price = _price_field("Output", hint="Leave it empty for embedding models only.")
    cache_read_price = _price_field("Cache read")
    cache_write_price = _price_field("Cache write")
    cache_write_1h_price = _price_field("Cache write, 1 hour")
    starts_on = forms.DateField(
        label="First day",
        widget=forms.DateInput(attrs={"type": "date", "class": "short"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a day, for example 2026-12-01."},
    )
    last_day = forms.DateField(
        required=False,
        label="Last day",
        widget=forms.DateInput(attrs={"type": "date", "class": "short"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a day, for example 2026-12-31, or leave it empty."},
    )
    note = forms.CharField(required=False, max_length=200, label="Note", help_text="For example the contract's number.")

    def __init__(self, data: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        self.fields["starts_on"].initial = timezone.now().astimezone(UTC).date

    @property
    def prices(self) -> dict[str, Decimal | None]:
        """The sums of a valid form, by column."""
        return {name: self.cleaned_data[name] for name in PriceColumns.PRICES}
