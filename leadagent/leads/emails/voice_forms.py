"""The voice and the prompts as admins type them in. Keys in a wrong field are told and not kept."""

from __future__ import annotations

from typing import Any

from django import forms

from leadagent.leads.emails.voice import NOTES_LIMIT, SIGNATURE_LIMIT
from leadagent.leads.models import Language, StepName, Tone
from leadagent.leads.prompts.versions import TEXT_LIMIT, InvalidPrompt, checked_text
from leadagent.tenants.misplaced_keys import RefusesMisplacedKeys


class VoiceForm(RefusesMisplacedKeys):
    """`version` is the one that was on the screen."""

    sender_name = forms.CharField(
        max_length=80, required=False, help_text="As the recipient sees it. Empty: your organisation's name."
    )
    reply_to = forms.EmailField(
        max_length=254,
        required=False,
        label="Answers go to",
        help_text="One address, for example sales@your-company.com. Empty: the address of the person who approves.",
    )
    signature = forms.CharField(
        max_length=SIGNATURE_LIMIT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Stands below every email exactly like this. Empty: the model signs with the sender's name.",
    )
    language = forms.ChoiceField(choices=Language.choices, required=False)
    tone = forms.ChoiceField(choices=Tone.choices)
    notes = forms.CharField(
        max_length=NOTES_LIMIT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="What every email should mind, in your words: “Say Acme Cloud, never just Acme.”",
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def clean_reply_to(self) -> str:
        """One address that every mail server can take: a local part beyond ASCII would need an extension (SMTPUTF8)."""
        address = str(self.cleaned_data["reply_to"])
        if not address.rpartition("@")[0].isascii():
            raise forms.ValidationError("Use plain letters before the @: not every mail server takes others.")
        return address


class PromptForm(RefusesMisplacedKeys):
    """A prompt's text. `seen` is the revision that was on the screen."""

    text = forms.CharField(
        label="Instructions", widget=forms.Textarea(attrs={"rows": 14, "class": "mono"}), max_length=TEXT_LIMIT
    )
    note = forms.CharField(max_length=200, required=False, label="What has changed", help_text="For the history.")
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, operation: StepName, data: Any = None, **more: Any) -> None:
        self.operation = operation
        super().__init__(data, **more)

    def clean_text(self) -> str:
        try:
            return checked_text(self.operation, self.cleaned_data["text"])
        except InvalidPrompt as error:
            raise forms.ValidationError(str(error)) from None


class PromptChoiceForm(forms.Form):
    """Which version is to be in force; without a number the default."""

    number = forms.IntegerField(min_value=1, required=False)
    seen = forms.IntegerField(min_value=0)
