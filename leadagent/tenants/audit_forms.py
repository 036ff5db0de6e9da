"""The filter form of the audit page: a GET form, so that what one sees has an address."""

from datetime import date
from typing import Any, cast

from django import forms

from leadagent.tenants.audit_actions import GROUPS, actions_of, label_of
from leadagent.tenants.audit_log import AuditFilter


def _action_choices() -> list[tuple[str, Any]]:
    grouped: list[tuple[str, Any]] = [
        (group.label, [(group.name, f"{group.label}: all"), *((name, label_of(name)) for name in actions_of(group))])
        for group in GROUPS
    ]
    return [("", "Everything"), *grouped, ("other", "Everything else")]


class _Day(forms.DateInput):
    """The browser's own calendar, which takes and gives ISO dates."""

    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"}, format="%Y-%m-%d")


class AuditFilterForm(forms.Form):
    action = forms.ChoiceField(label="What", required=False, choices=_action_choices)
    who = forms.CharField(
        label="Who",
        required=False,
        max_length=254,
        help_text="Person or API token",
        widget=forms.TextInput(attrs={"list": "audit-who", "autocomplete": "off"}),
    )
    since = forms.DateField(label="From", required=False, widget=_Day)
    until = forms.DateField(label="To", required=False, widget=_Day)
    about = forms.CharField(
        label="About", required=False, max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = cast("dict[str, Any]", super().clean())
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", "This day is before the first one.")
        for name in ("since", "until"):
            # The calendar's last day has no next one.
            if cleaned.get(name) == date.max:
                self.add_error(name, "Choose an earlier day.")
        return cleaned

    def wanted(self) -> AuditFilter:
        """The filter, after `is_valid`."""
        return AuditFilter(**self.cleaned_data)
