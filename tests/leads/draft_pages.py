"""The addresses of a draft's buttons, and the page that they stand on, in the organisation `acme`."""

from django.test import Client
from django.urls import reverse

from leadagent.leads.models import EmailDraft


def where(act: str, draft: EmailDraft) -> str:
    return reverse(f"leads:draft_{act}", args=["acme", draft.pk])


def page_of(client: Client, draft: EmailDraft) -> str:
    return client.get(reverse("leads:detail", args=["acme", draft.run.lead_id])).content.decode()
