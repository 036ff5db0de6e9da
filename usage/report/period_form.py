"""The period picker: a GET form, so that what one sees has an address."""

from datetime import date
from typing import Any, cast

from django import forms

from usage.analytics.period import LABELS, BadPeriod, Period, PeriodName, check_days, period_named, period_of_days


class _Day(forms.DateInput):
    """The browser's own calendar, which takes and gives ISO dates."""

    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"}, format="%Y-%m-%d")


class PeriodForm(forms.Form):
    """`period`, and with `custom` the first and the last day. Nothing at all is this month."""

    period = forms.ChoiceField(
        required=False,
        choices=[(name.value, label) for name, label in LABELS.items()],
        widget=forms.HiddenInput,
        error_messages={"invalid_choice": "There is no such period: choose one of these."},
    )
    start = forms.DateField(label="From", required=False, widget=_Day, input_formats=["%Y-%m-%d"])
    end = forms.DateField(label="To", required=False, widget=_Day, input_formats=["%Y-%m-%d"])

    def clean(self) -> dict[str, Any]:
        cleaned = cast("dict[str, Any]", super().clean())
        if cleaned.get("period") != PeriodName.CUSTOM:
            return cleaned
        for name in ("start", "end"):
            if name not in self.errors and cleaned.get(name) is None:
                self.add_error(name, "Choose a day.")
        first, last = cleaned.get("start"), cleaned.get("end")
        if isinstance(first, date) and isinstance(last, date):
            try:
                check_days(first, last)
            except BadPeriod as error:
                self.add_error(error.field, str(error))
        return cleaned

    @property
    def is_custom(self) -> bool:
        """The two days are asked for."""
        return self.data.get("period") == PeriodName.CUSTOM

    def wanted(self) -> Period:
        """The period, after `is_valid`."""
        name = PeriodName(self.cleaned_data["period"] or PeriodName.THIS_MONTH)
        if name == PeriodName.CUSTOM:
            return period_of_days(self.cleaned_data["start"], self.cleaned_data["end"])
        return period_named(name)
