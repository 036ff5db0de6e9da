"""The prompt editor: errors at the field, previews without a call, history, going back."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from leadagent.leads.models import PromptVersion, StepName
from leadagent.leads.prompts.versions import prompt_in_force, save_prompt
from leadagent.leads.running.steps import perform_step
from leadagent.tenants.models import Membership, Organization
from tests.leads.conftest import FakeProvider
from tests.leads.factories import LeadFactory, claimed, run_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(admin: Membership, signed_in: Callable[[Membership], Client]) -> Client:
    return signed_in(admin)


def where(organization: Organization, name: str = "prompt", *more: object, operation: str = "email_generation") -> str:
    return reverse(f"leads:{name}", args=[organization.slug, operation, *more])


def test_an_unknown_placeholder_is_told_at_the_field(client: Client, organization: Organization) -> None:
    answer = client.post(where(organization), {"text": "For {organisation}", "note": "", "seen": "0"})
    assert answer.status_code == 422
    assert "{organisation} is no placeholder of this prompt" in answer.content.decode()
    assert "For {organisation}" in answer.content.decode()
    assert not PromptVersion.objects.exists()


def test_a_key_is_taken_out_and_the_rest_stays(client: Client, organization: Organization) -> None:
    text = "Write kindly. Key sk-or-v1-0123456789abcdef0123456789abcdef. Be brief."
    answer = client.post(where(organization), {"text": text, "note": "", "seen": "0"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "This looks like a key" in page
    assert "0123456789abcdef" not in page
    assert "Be brief." in page
    assert not PromptVersion.objects.exists()


def test_a_note_on_a_text_that_is_in_force_already_stays(client: Client, organization: Organization) -> None:
    sent = {"text": "Write kindly.", "note": "First", "seen": "0"}
    assert client.post(where(organization), sent).status_code == 302
    again = client.post(where(organization), sent | {"note": "Sounds warmer", "seen": "1"})
    assert again.status_code == 200
    assert "in force already" in again.content.decode()
    assert 'value="Sounds warmer"' in again.content.decode()
    assert PromptVersion.objects.count() == 1


def test_a_preview_is_what_would_be_sent_and_asks_nobody(
    client: Client, organization: Organization, provider: FakeProvider
) -> None:
    lead = run_for(LeadFactory(organization=organization, message="Do you sell <b>cogs</b>?"), done=2).lead
    sent = {
        "text": "Mine for {organization}: {purpose}",
        "note": "",
        "seen": "0",
        "preview": "yes",
        "lead": str(lead.pk),
    }
    page = client.post(where(organization), sent).content.decode()
    assert "Mine for Acme: The lead is qualified" in page
    assert "Do you sell &lt;b&gt;cogs" in page
    assert "They make gears." in page
    assert "Never invent" in page
    assert provider.calls == []
    assert not PromptVersion.objects.exists()


def test_a_preview_shows_no_foreign_lead(client: Client, organization: Organization) -> None:
    foreign = LeadFactory(message="Secret of Globex")
    for lead in (str(foreign.pk), "x", ""):
        sent = {"text": "Mine.", "note": "", "seen": "0", "preview": "yes", "lead": lead}
        page = client.post(where(organization), sent).content.decode()
        assert "Secret of Globex" not in page
        assert "400 licences from March" in page


def test_save_compare_and_go_back(client: Client, organization: Organization) -> None:
    client.post(where(organization), {"text": "Write to them.", "note": "first", "seen": "0"})
    client.post(where(organization), {"text": "Write kindly to them.", "note": "kinder", "seen": "1"})
    page = client.get(where(organization, "prompt_version", 2)).content.decode()
    assert "<ins>" in page
    assert "kindly" in page
    assert "own v1" in page
    assert client.get(where(organization, "prompt_version", 2) + "?against=default").status_code == 200
    assert client.get(where(organization, "prompt_version", 3)).status_code == 404

    answer = client.post(where(organization, "prompt_choose"), {"number": 1, "seen": 2})
    assert answer.status_code == 302
    assert prompt_in_force(organization, StepName.EMAIL_GENERATION).label == "own v1"
    assert client.post(where(organization, "prompt_choose"), {"number": 9, "seen": 3}).status_code == 404
    client.post(where(organization, "prompt_choose"), {"seen": 3})
    assert prompt_in_force(organization, StepName.EMAIL_GENERATION).label == "default v2"


def test_a_late_save_is_shown_both_texts(client: Client, organization: Organization, admin: Membership) -> None:
    save_prompt(organization, StepName.EMAIL_GENERATION, "Theirs.", by=admin.user, seen=0)
    answer = client.post(where(organization), {"text": "Mine.", "note": "", "seen": "0"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Theirs." in page
    assert "Mine." in page
    assert 'name="seen" value="1"' in page
    assert client.post(where(organization, "prompt_choose"), {"seen": "0"}).status_code == 409


@pytest.mark.parametrize("seen", ["", "x", "-1"])
def test_a_page_that_does_not_say_what_was_read_is_told_so_and_keeps_the_text(
    client: Client, organization: Organization, seen: str
) -> None:
    answer = client.post(where(organization), {"text": "Write kindly.", "note": "Kinder", "seen": seen})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "did not say which text you had read" in page
    assert "Write kindly.</textarea>" in page
    assert 'value="Kinder"' in page
    assert 'name="seen" value="0"' in page
    assert not PromptVersion.objects.exists()


def test_there_are_three_prompts(client: Client, organization: Organization) -> None:
    assert client.get(where(organization, operation="embedding")).status_code == 404
    for operation in StepName:
        assert client.get(where(organization, operation=operation.value)).status_code == 200


def test_the_lead_page_says_which_prompts_were_used(
    client: Client, organization: Organization, admin: Membership
) -> None:
    save_prompt(organization, StepName.QUALIFICATION, "Judge.", by=admin.user, seen=0)
    run = run_for(LeadFactory(organization=organization), done=0)
    for _ in StepName:
        perform_step(claimed(run))
    page = client.get(reverse("leads:detail", args=[organization.slug, run.lead_id])).content.decode()
    assert f'<a href="{where(organization, "prompt_version", 1, operation="qualification")}">own v1</a>' in page
    assert prompt_in_force(organization, StepName.QUALIFICATION).digest[:12] in page
