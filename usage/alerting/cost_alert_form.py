"""The fields of the cost alert, the same wherever they are shown."""

from __future__ import annotations

from typing import Any

from django import forms

from leadagent.tenants.misplaced_keys import RefusesMisplacedKeys
from usage.alerting.cost_alert import (
    GREATEST_SUM,
    LEAST_SUM,
    CostAlertChoice,
    InvalidCostAlert,
    check_cost_alert,
)


def dollar_field(label: str, *, help_text: str = "") -> forms.DecimalField:
    """A sum in US dollars that may be left empty."""
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=LEAST_SUM,
        max_value=GREATEST_SUM,
        max_digits=12,
        decimal_places=2,
        help_text=help_text,
        error_messages={
            "invalid": "Enter a sum in dollars, for example 25 or 19.50.",
            "min_value": "Enter a sum above zero.",
            "max_decimal_places": "Enter a sum with at most two decimals, for example 19.50.",
        },
        widget=forms.TextInput(attrs={"class": "short", "inputmode": "decimal", "autocomplete": "off"}),
    )


class CostAlertForm(RefusesMisplacedKeys):
    """A part of larger forms. `alert_shown` is the choice as the page showed it: see `changed_cost_alert`."""

    alert_enabled = forms.BooleanField(label="Tell us what a month costs", required=False)
    alert_threshold = dollar_field(
        "Monthly sum in US dollars", help_text="Told at 50, 80 and 100 % of it, once each. Calls go on."
    )
    alert_email = forms.EmailField(
        label="Email address",
        required=False,
        max_length=254,
        help_text="Left empty, alerts go to every admin.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    alert_shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "alert_threshold" not in self.errors:
            try:
                check_cost_alert(self.cost_alert())
            except InvalidCostAlert as invalid:
                self.add_error(f"alert_{invalid.field}", str(invalid))
        return cleaned

    def cost_alert(self) -> CostAlertChoice:
        """The choice, as far as it was filled in correctly."""
        cleaned = self.cleaned_data
        return CostAlertChoice(
            bool(cleaned.get("alert_enabled")), cleaned.get("alert_threshold"), cleaned.get("alert_email", "")
        )

    def changed_cost_alert(self) -> CostAlertChoice | None:
        """The choice of a valid form; None where it is as the page showed it.

        The alert can be set on two pages: what was saved on the other one meanwhile then stays.
        """
        choice = self.cost_alert()
        return None if self.cleaned_data["alert_shown"] == _as_shown(choice) else choice


def initial_cost_alert(choice: CostAlertChoice) -> dict[str, Any]:
    """The initial values of the fields."""
    return {
        "alert_enabled": choice.enabled,
        "alert_threshold": choice.monthly_threshold,
        "alert_email": choice.email,
        "alert_shown": _as_shown(choice),
    }


def _as_shown(choice: CostAlertChoice) -> str:
    dollars = "-" if choice.monthly_threshold is None else f"{choice.monthly_threshold:.2f}"
    return f"{'on' if choice.enabled else 'off'} {dollars} {choice.email or '-'}"
