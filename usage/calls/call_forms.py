"""The filter form of the log of calls: a GET form, so that what one sees has an address."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from leadagent.tenants.day_range import DayInput, DayRangeForm
from leadagent.tenants.models import Organization
from usage.calls.call_filter import CallFilter, Outcome
from usage.formats import operation_label
from usage.models import KeyOwner, UsageDaily

_OUTCOMES = [
    ("", "All"),
    (Outcome.ANSWERED.value, "Answered"),
    (Outcome.FAILED.value, "Failed"),
    (Outcome.NOT_CONFIRMED.value, "Not confirmed"),
]


class CallFilterForm(DayRangeForm):
    """Offers what the organisation has ever used; one query."""

    since = forms.DateField(label="From", required=False, widget=DayInput, help_text="UTC day")
    until = forms.DateField(label="To", required=False, widget=DayInput, help_text="UTC day, included")
    operation = forms.ChoiceField(label="Operation", required=False)
    provider = forms.ChoiceField(label="Provider", required=False)
    model = forms.ChoiceField(label="Model", required=False)
    key_owner = forms.ChoiceField(label="Whose key", required=False, choices=[("", "All"), *KeyOwner.choices])
    outcome = forms.ChoiceField(label="Result", required=False, choices=_OUTCOMES)
    lead = forms.UUIDField(label="Lead", required=False, widget=forms.HiddenInput)
    run = forms.UUIDField(label="Run", required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, organization: Organization) -> None:
        super().__init__(data)
        used = list(
            UsageDaily.objects.filter(organization=organization)
            .values_list("operation", "provider", "model")
            .distinct()
        )
        for place, name in enumerate(("operation", "provider", "model")):
            values = sorted({row[place] for row in used})
            label = operation_label if name == "operation" else str
            field = cast("forms.ChoiceField", self.fields[name])
            field.choices = [("", "All"), *((value, label(value)) for value in values)]
            field.error_messages["invalid_choice"] = f"No call of this organisation has this {name}."

    def wanted(self) -> CallFilter:
        """The filter, after `is_valid`."""
        return CallFilter(**self.cleaned_data)
