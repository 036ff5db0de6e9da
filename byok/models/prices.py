"""What models cost, by the moment from which a price counts."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from byok.models.choices import provider_choices
from leadagent.tenants.models import Organization

# US dollars per million tokens. OpenRouter tells prices per token with up to 13 decimals.
PRICE_DIGITS = 20
PRICE_DECIMALS = 10


def as_stored(price: Decimal) -> Decimal:
    """The price as the columns hold it, without zeros at its end."""
    return price.quantize(Decimal(1).scaleb(-PRICE_DECIMALS)).normalize()


class PriceColumns(models.Model):
    """US dollars per million tokens; NULL where nobody tells, never 0 for unknown."""

    PRICES: ClassVar[tuple[str, ...]] = (
        "input_price",
        "output_price",
        "cache_read_price",
        "cache_write_price",
        "cache_write_1h_price",
    )

    input_price = models.DecimalField(max_digits=PRICE_DIGITS, decimal_places=PRICE_DECIMALS, null=True, blank=True)
    output_price = models.DecimalField(max_digits=PRICE_DIGITS, decimal_places=PRICE_DECIMALS, null=True, blank=True)
    cache_read_price = models.DecimalField(
        max_digits=PRICE_DIGITS, decimal_places=PRICE_DECIMALS, null=True, blank=True
    )
    # The cache of five minutes; the one-hour cache costs more where a provider has both.
    cache_write_price = models.DecimalField(
        max_digits=PRICE_DIGITS, decimal_places=PRICE_DECIMALS, null=True, blank=True
    )
    cache_write_1h_price = models.DecimalField(
        max_digits=PRICE_DIGITS, decimal_places=PRICE_DECIMALS, null=True, blank=True
    )

    class Meta:
        abstract = True


class DatedPrice(PriceColumns):
    """Prices from a moment on: list prices as a provider told them, or one organisation's negotiated ones.

    The newest row that has begun counts; genai-prices' dated list stands where there is none.
    """

    # Empty for list prices; set for prices that this organisation negotiated.
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="negotiated_prices"
    )
    route = models.CharField("provider", max_length=20, choices=provider_choices)
    model_id = models.CharField(max_length=200)
    effective_from = models.DateTimeField()
    # Half-open: at this moment the price is over.
    effective_until = models.DateTimeField(null=True, blank=True)
    # As stored with each usage row that was priced by it, at most 60 characters.
    source = models.CharField(max_length=60)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["route", "model_id", "organization", "effective_from"],
                name="dated_price_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(effective_until=None) | Q(effective_until__gt=models.F("effective_from")),
                name="dated_price_ends_after_its_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} ({self.route}) from {self.effective_from:%Y-%m-%d}"
