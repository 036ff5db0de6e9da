"""The texts that a draft has had, and going back to one."""

from collections.abc import Callable

import pytest
from django.test import Client

from leadagent.leads.emails.deciding import (
    DraftConflict,
    approve_draft,
    edit_draft,
    restore_revision,
)
from leadagent.leads.models import EmailDraft
from leadagent.tenants.models import Membership, Organization
from tests.factories import UserFactory
from tests.leads.draft_pages import page_of, where
from tests.leads.factories import draft_under_review

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


def test_every_text_is_kept_with_its_author() -> None:
    draft, ann, bob = draft_under_review(), UserFactory(), UserFactory()
    edit_draft(draft, subject="A", body="Ann's", by=ann, version=1)
    approve_draft(draft, subject="A", body="Bob's", by=bob, version=2)
    assert list(draft.revisions.values_list("number", "kind", "body", "author")) == [
        (1, "written", draft.body, None), (2, "edited", "Ann's", ann.pk), (3, "edited", "Bob's", bob.pk),
    ]  # fmt: skip


def test_going_back_is_an_edit_too() -> None:
    draft, ann = draft_under_review(), UserFactory()
    edit_draft(draft, subject="A", body="Ann's", by=ann, version=1)
    with pytest.raises(DraftConflict):
        restore_revision(draft, 1, by=ann, version=1)
    restored = restore_revision(draft, 1, by=ann, version=2)
    assert (restored.body, restored.version) == (draft.body, 3)
    assert draft.revisions.get(number=3).restored_from == 1


def test_the_history_shows_what_changed(organization: Organization, viewer: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=organization)
    edit_draft(draft, subject=draft.subject, body="Dear Ann,\n\nshall we meet?", by=UserFactory(), version=1)
    edit_draft(draft, subject=draft.subject, body="Hello", by=UserFactory(), version=2)
    client = signed_in(viewer)
    page = client.get(where("history", draft) + "?old=1&new=2").content.decode()
    assert "talk?" in page.partition("<del>")[2].partition("</del>")[0]
    assert "meet?" in page.partition("<ins>")[2].partition("</ins>")[0]
    assert "Use this text" not in page
    for query in ("?old=9&new=x", "?old=²&new=99999999999", ""):
        assert client.get(where("history", draft) + query).status_code == 200
    assert "All 3 texts" in page_of(client, draft)


def test_restoring_by_the_button(organization: Organization, member: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=organization)
    edit_draft(draft, subject="A", body="Ann's", by=UserFactory(), version=1)
    client = signed_in(member)
    assert client.post(where("restore", draft), {"number": 9, "version": 2}).status_code == 404
    assert client.post(where("restore", draft), {"number": 1, "version": 1}).status_code == 409
    assert client.post(where("restore", draft), {"number": 1, "version": 2}).status_code == 302
    assert EmailDraft.objects.get(pk=draft.pk).body == draft.body
