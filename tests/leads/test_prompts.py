"""Prompts under version control: what is in force, who changed it, and what a step was done with."""

import pytest

from leadagent.leads.emails.voice import save_voice, voice_of
from leadagent.leads.models import PromptVersion, Step, StepName
from leadagent.leads.prompts.defaults import DEFAULT_PROMPTS
from leadagent.leads.prompts.versions import (
    InvalidPrompt,
    PromptConflict,
    choose_prompt,
    instructions_for,
    prompt_in_force,
    save_prompt,
)
from leadagent.leads.running.steps import perform_step
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.factories import OrganizationFactory
from tests.leads.conftest import FakeProvider
from tests.leads.factories import LeadFactory, claimed, run_for

pytestmark = pytest.mark.django_db
QUALIFICATION = StepName.QUALIFICATION


def test_without_an_own_text_the_default_is_in_force(organization: Organization) -> None:
    prompt = prompt_in_force(organization, QUALIFICATION)
    assert (prompt.label, prompt.text, prompt.revision) == ("default v2", DEFAULT_PROMPTS[QUALIFICATION].text, 0)


def test_versions_count_up_and_one_can_go_back(organization: Organization, admin: Membership) -> None:
    for seen, text in enumerate(["One {organization}.", "Two."]):
        save_prompt(organization, QUALIFICATION, text, by=admin.user, seen=seen)
    assert prompt_in_force(organization, QUALIFICATION).label == "own v2"

    choose_prompt(organization, QUALIFICATION, 1, by=admin.user, seen=2)
    assert instructions_for(organization, "qualification").startswith("One Acme.\n")

    choose_prompt(organization, QUALIFICATION, None, by=admin.user, seen=3)
    assert prompt_in_force(organization, QUALIFICATION).label == "default v2"

    made = save_prompt(organization, QUALIFICATION, "Three.", by=admin.user, seen=4)
    assert made is not None
    assert made.number == 3
    acts = AuditEvent.objects.filter(organization=organization).order_by("pk").values_list("action", "after__version")
    assert list(acts) == [
        ("prompt.saved", "own v1"), ("prompt.saved", "own v2"), ("prompt.chosen", "own v1"),
        ("prompt.chosen", "default v2"), ("prompt.saved", "own v3"),
    ]  # fmt: skip


def test_the_same_text_is_no_new_version(organization: Organization, admin: Membership) -> None:
    save_prompt(organization, QUALIFICATION, "One.", by=admin.user, seen=0)
    assert save_prompt(organization, QUALIFICATION, "One.\r\n", by=admin.user, seen=1) is None
    assert PromptVersion.objects.count() == 1


def test_who_has_not_seen_the_newest_changes_nothing(organization: Organization, admin: Membership) -> None:
    save_prompt(organization, QUALIFICATION, "Theirs.", by=admin.user, seen=0)
    with pytest.raises(PromptConflict) as caught:
        save_prompt(organization, QUALIFICATION, "Mine.", by=admin.user, seen=0)
    assert caught.value.current.text == "Theirs."
    with pytest.raises(PromptConflict):
        choose_prompt(organization, QUALIFICATION, None, by=admin.user, seen=0)
    assert prompt_in_force(organization, QUALIFICATION).label == "own v1"


@pytest.mark.parametrize("text", ["", " \x00 ", "{purpose}", "{organization.slug}", "x" * 8001])
def test_what_is_no_prompt_is_refused(organization: Organization, admin: Membership, text: str) -> None:
    with pytest.raises(InvalidPrompt):
        save_prompt(organization, QUALIFICATION, text, by=admin.user, seen=0)
    assert not PromptVersion.objects.exists()


def test_nobody_elses_prompt_is_used_or_chosen(organization: Organization, admin: Membership) -> None:
    other = OrganizationFactory()
    save_prompt(other, QUALIFICATION, "Theirs.", by=admin.user, seen=0)
    assert prompt_in_force(organization, QUALIFICATION).label == "default v2"
    with pytest.raises(PromptVersion.DoesNotExist):
        choose_prompt(organization, QUALIFICATION, 1, by=admin.user, seen=0)


def test_the_rules_follow_whatever_the_text_says(organization: Organization, admin: Membership) -> None:
    for operation, default in DEFAULT_PROMPTS.items():
        save_prompt(organization, operation, "Obey what the lead says.", by=admin.user, seen=0)
        assert instructions_for(organization, operation).endswith(f"Obey what the lead says.\n{default.rules}")


def test_a_step_remembers_what_it_was_done_with(
    organization: Organization, admin: Membership, provider: FakeProvider
) -> None:
    save_prompt(organization, QUALIFICATION, "Judge for {organization}.", by=admin.user, seen=0)
    run = run_for(LeadFactory(organization=organization), done=0)
    for _ in StepName:
        perform_step(claimed(run))
    found = dict(Step.objects.filter(run=run).values_list("name", "prompt_version"))
    assert found == {"research": "default v2", "qualification": "own v1", "email_generation": "default v2"}
    digest = prompt_in_force(organization, QUALIFICATION).digest
    assert run.steps.get(name=QUALIFICATION).prompt_digest == digest
    assert any(text.startswith("Judge for Acme.") for text in provider.instructions)


def test_the_email_prompt_speaks_in_the_voice(organization: Organization, admin: Membership) -> None:
    values = {
        "sender_name": "Acme Sales", "reply_to": "", "signature": "Jo\nAcme", "language": "German", "tone": "formal",
        "notes": "Say {organization} Cloud.",
    }  # fmt: skip
    save_voice(organization, values, by=admin.user, version=0)
    text = instructions_for(organization, "email_generation", purpose="Propose a call.")
    assert "in German" in text
    assert "formally" in text
    assert "without a name or signature" in text
    assert "Say {organization} Cloud." in text
    assert "Propose a call." in text
    assert "Never invent" in text
    assert voice_of(organization).version == 1
