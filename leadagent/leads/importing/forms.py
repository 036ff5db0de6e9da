"""What people choose about an import: the file, its columns, whether and how fast its leads are worked on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from leadagent.leads.inbox.intake import FIELDS
from leadagent.leads.models.lead_import import MOST_AT_ONCE

_LABELS = {"name": "Name", "email": "Email", "company": "Company", "phone": "Phone", "message": "Message"}
REQUIRED = ("email", "message")


class ImportFileForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        max_length=200,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.LEAD_IMPORT_MAX_BYTES:
            most = settings.LEAD_IMPORT_MAX_BYTES // (1024 * 1024)
            raise forms.ValidationError(f"The file is larger than {most} MB. Split it and upload the parts.")
        return file


class ColumnsForm(forms.Form):
    """Which column holds what. `at_once` counts only where the workflow is started."""

    starts_runs = forms.BooleanField(required=False, label="Start the workflow for each lead")
    at_once = forms.IntegerField(
        min_value=1,
        max_value=MOST_AT_ONCE,
        initial=3,
        label="Leads at a time",
        help_text="Further ones wait. While a run is paused or waits for the provider, no other is started.",
        widget=forms.NumberInput(attrs={"class": "short"}),
    )

    def __init__(self, data: Any = None, *, header: list[str], guess: dict[str, int]) -> None:
        super().__init__(data)
        choices = [(str(at), cell or f"Column {at + 1}") for at, cell in enumerate(header)]
        for name in FIELDS:
            is_required = name in REQUIRED
            self.fields[f"column_{name}"] = forms.ChoiceField(
                label=_LABELS[name],
                required=is_required,
                choices=[("", "Choose a column" if is_required else "Not in the file"), *choices],
                initial=str(guess[name]) if name in guess else "",
            )

    @property
    def column_fields(self) -> list[forms.BoundField]:
        return [self[f"column_{name}"] for name in FIELDS]

    @property
    def columns(self) -> dict[str, int]:
        """Field of a lead -> its column."""
        chosen = {name: self.cleaned_data[f"column_{name}"] for name in FIELDS}
        return {name: int(at) for name, at in chosen.items() if at}
