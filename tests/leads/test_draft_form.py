"""The form of a draft has several buttons: what was typed for one of them is there after another."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from byok.errors import AIError
from leadagent.leads.emails.deciding import edit_draft
from leadagent.leads.emails.rewriting import perform_rewrite
from leadagent.leads.models import DraftRewrite, DraftStatus, EmailDraft
from leadagent.tenants.models import Membership, Organization
from tests.factories import MembershipFactory, UserFactory
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.draft_pages import page_of, where
from tests.leads.factories import draft_under_review

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]
LATER = f"{timezone.now() + timedelta(days=5):%Y-%m-%dT09:00}"
TYPED = {"subject": "Mine", "body": "My text.", "version": "1"}


@pytest.fixture
def draft(organization: Organization) -> EmailDraft:
    return draft_under_review(organization=organization)


@pytest.fixture
def client(member: Membership, signed_in: SignIn) -> Client:
    return signed_in(member)


def values(page: str) -> dict[str, str]:
    """What the form of the draft holds: the field's name -> its value."""
    inputs = re.findall(r'<input[^>]* name="(subject|version|send_at)"(?:[^>]* value="([^"]*)")?', page)
    texts = re.findall(r'<textarea[^>]* name="(body|instruction)"[^>]*>([^<]*)</textarea>', page)
    return {name: unescape(value).strip() for name, value in inputs + texts}


def test_saving_keeps_what_was_typed_for_other_buttons(client: Client, draft: EmailDraft) -> None:
    beside = {"instruction": "Shorter, and propose Thursday", "send_at": LATER}
    assert client.post(where("save", draft), {**TYPED, **beside}).status_code == 302

    assert values(page_of(client, draft)) == {**TYPED, **beside, "version": "2"}
    # Looking again takes nothing away; emptied fields stay empty.
    assert values(page_of(client, draft)) == {**TYPED, **beside, "version": "2"}
    client.post(where("save", draft), {**TYPED, "version": "2", "instruction": "", "send_at": ""})
    assert values(page_of(client, draft)) == {**TYPED, "version": "2", "instruction": "", "send_at": ""}


def test_what_was_typed_is_for_that_draft_and_that_person(
    client: Client, draft: EmailDraft, organization: Organization, signed_in: SignIn
) -> None:
    client.post(where("save", draft), {**TYPED, "instruction": "Shorter"})

    assert values(page_of(client, draft_under_review(organization=organization)))["instruction"] == ""
    other = signed_in(MembershipFactory(organization=organization))
    assert values(page_of(other, draft))["instruction"] == ""


def test_a_time_is_still_there_after_a_rewrite_and_its_instruction_is_not(
    client: Client, draft: EmailDraft, provider: FakeProvider, nudges: Nudges
) -> None:
    beside = {"instruction": "Shorter", "send_at": LATER}
    client.post(where("rewrite", draft), {**TYPED, **beside})
    perform_rewrite(DraftRewrite.objects.get().pk)

    kept = values(page_of(client, draft))
    assert (kept["instruction"], kept["send_at"]) == ("", LATER)


@pytest.mark.parametrize("end", ["fails", "is given up"])
def test_the_instruction_of_a_rewrite_that_came_to_nothing_can_be_sent_again(
    client: Client, draft: EmailDraft, provider: FakeProvider, nudges: Nudges, end: str
) -> None:
    client.post(where("rewrite", draft), {**TYPED, "instruction": "Shorter"})
    if end == "fails":
        provider.fail_with["email_generation"] = AIError("invalid_key", provider="openai")
        perform_rewrite(DraftRewrite.objects.get().pk)
    else:
        client.post(where("rewrite_cancel", draft))

    assert values(page_of(client, draft))["instruction"] == "Shorter"


@pytest.mark.parametrize("action", ["rewrite", "schedule", "approve"])
@pytest.mark.parametrize("version", ["1", "x"])
@pytest.mark.parametrize("field", ["instruction", "send_at"])
def test_a_key_beside_the_text_is_not_shown_again(
    client: Client, draft: EmailDraft, field: str, version: str, action: str
) -> None:
    key = "sk-or-v1-0123456789abcdef0123456789"
    answer = client.post(where(action, draft), {**TYPED, field: f"Use {key}", "version": version})

    assert answer.status_code == 422
    assert key not in answer.content.decode()
    assert EmailDraft.objects.get(pk=draft.pk).version == 1


@pytest.mark.parametrize("field", ["instruction", "send_at"])
def test_a_key_typed_beside_the_text_is_told_and_kept_nowhere(client: Client, draft: EmailDraft, field: str) -> None:
    key = "sk-or-v1-0123456789abcdef0123456789"
    answer = client.post(where("save", draft), {**TYPED, field: key})

    assert answer.status_code == 422
    assert "This looks like a key" in answer.content.decode()
    assert key not in str(dict(client.session))
    assert EmailDraft.objects.get(pk=draft.pk).version == 1


@pytest.mark.parametrize("version", ["", "x", "0", "-1", "9" * 30, None])
@pytest.mark.parametrize("act", ["save", "approve", "schedule", "rewrite"])
def test_without_its_version_the_form_says_so_and_keeps_the_text(
    client: Client, draft: EmailDraft, act: str, version: str | None
) -> None:
    edit_draft(draft, subject="Newer", body="Newer text.", by=UserFactory(), version=1)
    form = {**TYPED, "instruction": "Shorter", "send_at": LATER, "version": version}
    answer = client.post(where(act, draft), {name: value for name, value in form.items() if value is not None})

    page = answer.content.decode()
    assert answer.status_code in {409, 422}
    assert re.search("did not say which text you had read|saved another text", page)
    assert "Newer text." in page
    assert values(page) == {**form, "version": "2"}
    stored = EmailDraft.objects.get(pk=draft.pk)
    assert (stored.status, stored.body) == (DraftStatus.DRAFT, "Newer text.")
    assert not DraftRewrite.objects.exists()


@pytest.mark.parametrize("act", ["discard", "unschedule", "restore"])
def test_a_decision_without_its_version_says_that_nothing_was_done(client: Client, draft: EmailDraft, act: str) -> None:
    answer = client.post(where(act, draft), {"version": "x", "number": "1"})

    assert answer.status_code == 422
    assert "did not say which text you had read" in answer.content.decode()
    assert EmailDraft.objects.get(pk=draft.pk).status == DraftStatus.DRAFT


def test_a_text_that_cannot_be_saved_any_more_is_shown_even_if_it_is_not_valid(
    client: Client, draft: EmailDraft
) -> None:
    EmailDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.SENT)
    page = client.post(where("save", draft), {**TYPED, "subject": "", "instruction": "Shorter"}).content.decode()

    assert "Your text, not saved" in page
    assert "My text." in page
    assert "“Shorter”" in page
