"""What people may type in about a lead, and no more."""

from django import forms

from leadagent.leads.inbox.intake import FIELDS
from leadagent.leads.models import Lead
from leadagent.leads.models.note import NOTE_LIMIT
from leadagent.leads.text import clean, one_line


class LeadForm(forms.ModelForm[Lead]):
    """A lead as it comes in, by page, public form or API."""

    class Meta:
        model = Lead
        fields = FIELDS
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
            "company": forms.TextInput(attrs={"autocomplete": "organization"}),
            "phone": forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
            "message": forms.Textarea(attrs={"rows": 6}),
        }

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"], limit=120)

    def clean_company(self) -> str:
        return one_line(self.cleaned_data["company"], limit=160)

    def clean_message(self) -> str:
        return clean(self.cleaned_data["message"])


class PublicLeadForm(LeadForm):
    """The public form. `fax_extension` is hidden from people; what fills it in is a machine."""

    fax_extension = forms.CharField(
        required=False,
        label="Leave this empty",
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )

    @property
    def is_machine(self) -> bool:
        return bool(self.data.get("fax_extension"))


class NoteForm(forms.Form):
    """A note about a lead."""

    text = forms.CharField(max_length=NOTE_LIMIT, label="Note", widget=forms.Textarea(attrs={"rows": 3}))

    def clean_text(self) -> str:
        text = clean(self.cleaned_data["text"])
        if not text:
            raise forms.ValidationError("There is no readable text in this.")
        return text
