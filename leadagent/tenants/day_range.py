"""A form's two days, from and to: what every filter over time asks for."""

from datetime import date
from typing import Any, cast

from django import forms


class DayInput(forms.DateInput):
    """The browser's own calendar, which takes and gives ISO dates."""

    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"}, format="%Y-%m-%d")


class DayRangeForm(forms.Form):
    """Checks the fields `since` and `until`, both days included. A form declares them, in its own order."""

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
