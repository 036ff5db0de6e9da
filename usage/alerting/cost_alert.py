"""The cost alert: a sum per month that an organisation wants to be told of, and the address that is told."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from leadagent.tenants.models import Organization
from usage.models import CostAlert

# US dollars: one cent, and as much as the column holds.
LEAST_SUM, GREATEST_SUM = Decimal("0.01"), Decimal("9999999999.99")


class InvalidCostAlert(ValueError):
    """A choice that cannot be stored. `field` is `threshold` or `email`; the message says how to mend it."""

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class CostAlertChoice:
    """What an organisation chose.

    `monthly_threshold` is in US dollars, None while no sum is set. Without an `email` every admin is told.
    """

    enabled: bool = False
    monthly_threshold: Decimal | None = None
    email: str = ""

    def as_json(self) -> dict[str, object]:
        """Plain values for the audit log and the API; the sum as text, so that nothing is rounded."""
        threshold = self.monthly_threshold
        return {
            "enabled": self.enabled,
            "monthly_threshold": None if threshold is None else str(threshold),
            "email": self.email,
        }

    @property
    def in_words(self) -> str:
        """`From $25.00 to every admin`, or `Off`."""
        return f"From ${self.monthly_threshold} to {self.email or 'every admin'}" if self.enabled else "Off"


def cost_alert_of(organization: Organization) -> CostAlertChoice:
    """The stored choice; off where none is stored."""
    row = CostAlert.objects.filter(organization=organization).first()
    return CostAlertChoice(row.enabled, row.monthly_threshold, row.email) if row else CostAlertChoice()


def check_cost_alert(choice: CostAlertChoice) -> None:
    """Raise `InvalidCostAlert` for what cannot be stored: an alert that is on has a sum."""
    threshold = choice.monthly_threshold
    if threshold is not None and not LEAST_SUM <= threshold <= GREATEST_SUM:
        raise InvalidCostAlert("threshold", "Enter a sum in dollars, of at least $0.01.")
    if choice.enabled and threshold is None:
        raise InvalidCostAlert("threshold", "Enter the sum from which you want to be told.")
    if choice.email:
        try:
            EmailValidator()(choice.email)
        except ValidationError:
            raise InvalidCostAlert("email", "Enter an email address, like name@example.com.") from None


def save_cost_alert(organization: Organization, choice: CostAlertChoice) -> None:
    """Store a choice that `check_cost_alert` has let through, or a form of the same rules."""
    values = {"enabled": choice.enabled, "monthly_threshold": choice.monthly_threshold, "email": choice.email}
    CostAlert.objects.update_or_create(organization=organization, defaults=values)
