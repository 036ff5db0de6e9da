"""The filter form of the audit page: a GET form, so that what one sees has an address."""

from typing import Any

from django import forms

from leadagent.tenants.audit_trail.actions import GROUPS, actions_of, label_of
from leadagent.tenants.audit_trail.log import AuditFilter
from leadagent.tenants.day_range import DayInput, DayRangeForm


def _action_choices() -> list[tuple[str, Any]]:
    grouped: list[tuple[str, Any]] = [
        (group.label, [(group.name, f"{group.label}: all"), *((name, label_of(name)) for name in actions_of(group))])
        for group in GROUPS
    ]
    return [("", "Everything"), *grouped, ("other", "Everything else")]


class AuditFilterForm(DayRangeForm):
    action = forms.ChoiceField(label="What", required=False, choices=_action_choices)
    who = forms.CharField(
        label="Who",
        required=False,
        max_length=254,
        help_text="Person or API token",
        widget=forms.TextInput(attrs={"list": "audit-who", "autocomplete": "off"}),
    )
    since = forms.DateField(label="From", required=False, widget=DayInput)
    until = forms.DateField(label="To", required=False, widget=DayInput)
    about = forms.CharField(
        label="About", required=False, max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def wanted(self) -> AuditFilter:
        """The filter, after `is_valid`."""
        return AuditFilter(**self.cleaned_data)
