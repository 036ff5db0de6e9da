"""The form of a webhook."""

from django import forms

from leadagent import egress
from leadagent.leads.models import LeadEvent
from leadagent.tenants.misplaced_keys import RefusesMisplacedKeys


class WebhookForm(RefusesMisplacedKeys):
    """An address on the public internet, and what it is told."""

    url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="https on the public internet. It must answer with a status of 2xx within ten seconds.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(
        label="Tell it when", choices=LeadEvent.choices, widget=forms.CheckboxSelectMultiple
    )
    with_reasons = forms.BooleanField(
        label="Send the verdict's reasons too",
        required=False,
        help_text="With their quotes: words of the research report and of the lead then leave with each message.",
    )

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            egress.check_url(url)
        except egress.EgressRefused as refused:
            raise forms.ValidationError(str(refused)) from None
        return url
