"""The reply under review, as people type it in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils import timezone

from leadagent.leads.emails.rewriting import INSTRUCTION_LIMIT
from leadagent.leads.emails.writing import BODY_LIMIT, SUBJECT_LIMIT
from leadagent.leads.text import clean
from leadagent.logs import is_key_shaped, scrub
from leadagent.tenants.misplaced_keys import A_KEY

LATEST = timedelta(days=90)
_INPUT = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]


class DraftForm(forms.Form):
    """The reply under review. `version` is the one that was on the screen.

    Everything that can be done with it is a button of one form, so that the text on the screen goes along.
    """

    # Which of the fields beside the text the pressed button makes use of.
    uses: ClassVar[str] = ""

    subject = forms.CharField(max_length=SUBJECT_LIMIT)
    body = forms.CharField(max_length=BODY_LIMIT, label="Email", widget=forms.Textarea(attrs={"rows": 14}))
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    instruction = forms.CharField(
        required=False,
        label="What should be different?",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For example: “shorter, and propose Thursday”. Costs one AI call; your text is kept in the history.",
    )
    send_at = forms.CharField(
        required=False,
        label="Date and time (UTC)",
        validators=[MaxLengthValidator(40)],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "short"}),
    )

    def __init__(self, data: Any = None, **more: Any) -> None:
        # Taken out before the form is shown again. The email itself is a person's text, and stays as it is.
        beside = ("instruction", "send_at")
        self._misplaced = [name for name in beside if data is not None and is_key_shaped(data.get(name))]
        if self._misplaced:
            data = data.copy()
            for name in self._misplaced:
                data[name] = scrub(data[name])
        super().__init__(data, **more)

    def clean_instruction(self) -> str:
        said = clean(self.cleaned_data["instruction"])
        if len(said) > INSTRUCTION_LIMIT:
            raise forms.ValidationError(f"Use at most {INSTRUCTION_LIMIT:,} characters.")
        return said

    def clean_send_at(self) -> Any:
        """As it was typed: whether it is a time is only asked where one is needed."""
        return self.cleaned_data["send_at"].strip()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self._misplaced:
            self.errors.pop(name, None)
            self.add_error(name, A_KEY)
        return cleaned

    def text(self) -> dict[str, Any]:
        """Subject, body and version, as the decisions of `deciding` take them."""
        return {name: self.cleaned_data[name] for name in ("subject", "body", "version")}

    def typed_for_other_buttons(self) -> dict[str, str]:
        """What stood in the fields that the pressed button makes no use of, by their names; the form is valid."""
        return {name: self.cleaned_data[name] for name in ("instruction", "send_at") if name != self.uses}


class RewriteForm(DraftForm):
    """The text, and what is to be different about it."""

    uses = "instruction"

    def clean_instruction(self) -> str:
        said = super().clean_instruction()
        if not said:
            raise forms.ValidationError("Say what should be different.")
        return said


class ScheduleForm(DraftForm):
    """The text, and when it is to be sent: `send_at` becomes an aware time in UTC."""

    uses = "send_at"

    def clean_send_at(self) -> datetime:
        at = _read(super().clean_send_at())
        now = timezone.now()
        if at is None:
            raise forms.ValidationError("Enter a date and a time, like 2027-03-31 09:00.")
        if at <= now:
            raise forms.ValidationError(f"This time has passed: it is {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC now.")
        if at > now + LATEST:
            raise forms.ValidationError(f"Choose a time within the next {LATEST.days} days.")
        return at


class VersionForm(forms.Form):
    """A decision on a draft whose text is not sent along."""

    version = forms.IntegerField(min_value=1)


class RestoreForm(VersionForm):
    """Which earlier text is to be the draft again."""

    number = forms.IntegerField(min_value=1)


def _read(written: str) -> datetime | None:
    for form in _INPUT:
        try:
            return datetime.strptime(written, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
