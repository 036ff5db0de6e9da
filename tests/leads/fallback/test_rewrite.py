"""A rewrite for which the own key fails: a member lets the platform's AI do it, once."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from leadagent.leads.emails.deciding import edit_draft
from leadagent.leads.emails.rewrite_fallback import NothingToGrant, grant_rewrite
from leadagent.leads.emails.rewriting import ask_for_rewrite, perform_rewrite
from leadagent.leads.models import EmailDraft, RewriteStatus
from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory, UserFactory
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import draft_under_review
from tests.leads.fallback.consent import REASON, page, say, told, trouble

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]


@pytest.fixture
def failed_rewrite(organization: Organization, provider: FakeProvider) -> EmailDraft:
    """A draft whose rewrite has failed because of the own key, in an organisation that wants to be asked."""
    say(organization, "ask")
    provider.fail_with["email_generation"] = trouble()
    draft = draft_under_review(organization=organization)
    asked = ask_for_rewrite(draft, "Shorter.", subject="Mine", body="Mine.", by=UserFactory(), version=draft.version)
    perform_rewrite(asked.pk)
    draft.refresh_from_db()
    assert draft.rewrites.get().status == RewriteStatus.FAILED
    return draft


def test_a_member_lets_the_platform_do_one_rewrite(
    failed_rewrite: EmailDraft,
    provider: FakeProvider,
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    draft, client = failed_rewrite, signed_in(member)
    where = f"/o/acme/drafts/{draft.pk}/rewrite/fallback/"
    assert f'action="{where}"' in page(client, draft.run)
    assert "50 of 50 are left" in page(client, draft.run)

    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(where).headers["Location"] == f"/o/acme/leads/{draft.run.lead_id}/"

    assert nudges.names == ["rewrite_email"]
    assert told("fallback.granted") == [
        (f"email {draft.pk}", {"operations": ["email_generation"], "because": "invalid_key"})
    ]
    perform_rewrite(draft.rewrites.get().pk)
    assert provider.exchanges == [("email_generation", "own")] * 2 + [("email_generation", "platform")]
    draft.refresh_from_db()
    assert draft.body == "Dear Ann,\n\nshall we talk?"
    assert draft.rewrites.get().platform_reason == REASON
    assert told("fallback.used") == [
        (f"run {draft.run_id}", {"operation": "email_generation", "because": "invalid_key"})
    ]
    assert "Rewritten with the platform" in page(client, draft.run)

    # The next one asks again.
    again = ask_for_rewrite(draft, "Longer.", subject="Mine", body="Mine again.", by=member.user, version=draft.version)
    perform_rewrite(again.pk)
    again.refresh_from_db()
    assert again.status == RewriteStatus.FAILED
    assert where in page(client, draft.run)


def test_what_the_platform_could_not_do_either_is_not_offered_again(
    failed_rewrite: EmailDraft, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    provider.fail_with["email_generation platform"] = trouble()
    rewrite = grant_rewrite(failed_rewrite, by=member.user)
    perform_rewrite(rewrite.pk)

    rewrite.refresh_from_db()
    assert rewrite.status == RewriteStatus.FAILED
    assert "rewrite/fallback/" not in page(signed_in(member), failed_rewrite.run)
    with pytest.raises(NothingToGrant):
        grant_rewrite(failed_rewrite, by=member.user)


@pytest.mark.parametrize("word", ["never", "allow"])
def test_a_rewrite_is_offered_where_people_are_asked(
    organization: Organization, failed_rewrite: EmailDraft, member: Membership, signed_in: SignIn, word: str
) -> None:
    say(organization, word)

    assert "rewrite/fallback/" not in page(signed_in(member), failed_rewrite.run)
    with pytest.raises(NothingToGrant):
        grant_rewrite(failed_rewrite, by=member.user)


def test_a_rewrite_of_a_text_that_has_gone_on_is_not_offered(failed_rewrite: EmailDraft, member: Membership) -> None:
    edit_draft(failed_rewrite, subject="New", body="New.", by=member.user, version=failed_rewrite.version)
    with pytest.raises(NothingToGrant):
        grant_rewrite(failed_rewrite, by=member.user)
    assert told("fallback.granted") == []


def test_viewers_and_strangers_let_nothing_rewrite(
    failed_rewrite: EmailDraft, viewer: Membership, member: Membership, signed_in: SignIn
) -> None:
    where = f"/o/acme/drafts/{failed_rewrite.pk}/rewrite/fallback/"
    assert where not in page(signed_in(viewer), failed_rewrite.run)
    assert signed_in(viewer).post(where).status_code == 403
    elsewhere = MembershipFactory(role=Role.MEMBER)
    foreign = f"/o/{elsewhere.organization.slug}/drafts/{failed_rewrite.pk}/rewrite/fallback/"
    assert signed_in(elsewhere).post(foreign).status_code == 404
    assert told("fallback.granted") == []
