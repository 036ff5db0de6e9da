"""Deciding on a draft by the buttons of its page: nobody overwrites a text, and nothing typed is lost."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from leadagent.leads.models import EmailDraft
from leadagent.tenants.models import Membership
from tests.factories import MembershipFactory
from tests.leads.draft_pages import page_of
from tests.leads.factories import draft_under_review

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


@pytest.fixture
def draft(member: Membership) -> EmailDraft:
    return draft_under_review(organization=member.organization)


def test_an_edit_is_saved(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    response = signed_in(member).post(
        f"/o/acme/drafts/{draft.pk}/save/", {"subject": "New", "body": "New text", "version": 1}
    )

    assert response.headers["Location"] == f"/o/acme/leads/{draft.run.lead_id}/"
    draft.refresh_from_db()
    assert (draft.subject, draft.body, draft.edited_by, draft.status) == ("New", "New text", member.user, "draft")


def test_approving_has_it_sent(
    member: Membership,
    signed_in: SignIn,
    draft: EmailDraft,
    nudges: object,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client = signed_in(member)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"/o/acme/drafts/{draft.pk}/approve/", {"subject": "New", "body": "New text", "version": 1})

    draft.refresh_from_db()
    assert (draft.status, draft.body, draft.approved_by) == ("sending", "New text", member.user)
    assert nudges.names == ["send_email"]  # type: ignore[attr-defined]
    page = page_of(client, draft)
    assert "Being sent" in page
    assert "every 1s" in page


def test_discarding_sends_nothing(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    page = signed_in(member).post(f"/o/acme/drafts/{draft.pk}/discard/", {"version": 1}, follow=True).content.decode()

    assert "Nothing was sent" in page
    draft.refresh_from_db()
    assert draft.status == "discarded"


@pytest.mark.parametrize("act", ["save", "approve"])
def test_a_conflict_shows_both_texts_and_loses_neither(
    member: Membership, signed_in: SignIn, draft: EmailDraft, act: str
) -> None:
    other = MembershipFactory(organization=member.organization, user__email="olga@acme.test")
    signed_in(other).post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "Olga's text", "version": 1})
    client = signed_in(member)

    response = client.post(f"/o/acme/drafts/{draft.pk}/{act}/", {"subject": "S", "body": "My own text", "version": 1})

    page = response.content.decode()
    assert response.status_code == 409
    assert "olga saved another text" in page
    assert "Olga&#x27;s text" in page
    assert re.search(r"<textarea[^>]*>\s*My own text", page)
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    assert version[1] == "2"
    draft.refresh_from_db()
    assert (draft.body, draft.status) == ("Olga's text", "draft")

    saved = client.post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "My own text", "version": 2})
    assert saved.status_code == 302
    draft.refresh_from_db()
    assert draft.body == "My own text"


def test_an_edit_after_the_decision_is_shown_back(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    client = signed_in(member)
    client.post(f"/o/acme/drafts/{draft.pk}/approve/", {"subject": "S", "body": "Approved text", "version": 1})

    response = client.post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "My late text", "version": 1})

    page = response.content.decode()
    assert response.status_code == 409
    assert "has decided on this email already" in page
    assert "My late text" in page
    assert "Approved text" in page


def test_discarding_what_one_has_not_seen_is_refused(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    client = signed_in(member)
    client.post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "Newer text", "version": 1})

    response = client.post(f"/o/acme/drafts/{draft.pk}/discard/", {"version": 1})

    assert response.status_code == 409
    assert "Newer text" in response.content.decode()
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_an_empty_reply_is_not_saved(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    response = signed_in(member).post(
        f"/o/acme/drafts/{draft.pk}/approve/", {"subject": "", "body": "Still here", "version": 1}
    )

    assert response.status_code == 422
    assert "Still here" in response.content.decode()
    draft.refresh_from_db()
    assert (draft.status, draft.version) == ("draft", 1)
