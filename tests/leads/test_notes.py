"""Notes about leads: who may write, change and delete them, and that they are shown as text."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from leadagent.leads.inbox.notes import SHOWN, add_note
from leadagent.leads.models import Lead, LeadNote
from leadagent.leads.models.note import NOTE_LIMIT
from leadagent.tenants.models import AuditEvent, Membership, Role
from tests.factories import MembershipFactory
from tests.leads.factories import LeadFactory

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


@pytest.fixture
def lead(member: Membership) -> Lead:
    return LeadFactory(organization=member.organization)


def page_of(client: Client, lead: Lead) -> str:
    return client.get(f"/o/acme/leads/{lead.pk}/").content.decode()


def write(client: Client, lead: Lead, text: str, **headers: str) -> int:
    return client.post(f"/o/acme/leads/{lead.pk}/notes/", {"text": text}, headers=headers).status_code


def test_a_member_writes_a_note_that_colleagues_read(
    member: Membership, viewer: Membership, signed_in: SignIn, lead: Lead
) -> None:
    assert write(signed_in(member), lead, "Called twice,\r\nno answer.") == 302

    note = lead.notes.get()
    assert (note.organization, note.author, note.text) == (
        member.organization,
        member.user,
        "Called twice,\nno answer.",
    )
    page = page_of(signed_in(viewer), lead)
    assert "Called twice,<br>no answer." in page
    assert member.user.display_name in page


def test_a_viewer_reads_only(viewer: Membership, signed_in: SignIn, lead: Lead) -> None:
    note = add_note(lead, "Theirs", by=None)
    client = signed_in(viewer)

    assert write(client, lead, "Mine") == 403
    assert client.post(reverse("leads:note_edit", args=["acme", note.pk]), {"text": "Mine"}).status_code == 403
    assert client.post(reverse("leads:note_delete", args=["acme", note.pk])).status_code == 403
    assert [row.text for row in lead.notes.all()] == ["Theirs"]
    page = page_of(client, lead)
    assert "New note" not in page
    assert "/delete/" not in page


def test_members_change_their_own_and_admins_any(
    member: Membership, admin: Membership, signed_in: SignIn, lead: Lead
) -> None:
    own, of_admin = add_note(lead, "Own", by=member.user), add_note(lead, "Of the admin", by=admin.user)
    orphan = add_note(lead, "Without author", by=None)
    client = signed_in(member)

    def edit(who: Client, note: LeadNote) -> int:
        return who.post(reverse("leads:note_edit", args=["acme", note.pk]), {"text": "Changed"}).status_code

    assert [edit(client, note) for note in (own, of_admin, orphan)] == [302, 403, 403]
    looked = client.get(reverse("leads:note_edit", args=["acme", of_admin.pk]))
    assert looked.headers["Location"] == f"/o/acme/leads/{lead.pk}/#notes"
    assert client.post(reverse("leads:note_delete", args=["acme", of_admin.pk])).status_code == 403
    assert [edit(signed_in(admin), note) for note in (own, of_admin, orphan)] == [302, 302, 302]
    own.refresh_from_db()
    assert own.edited_at is not None
    assert own.author == member.user


def test_an_author_made_viewer_changes_nothing_more(member: Membership, signed_in: SignIn, lead: Lead) -> None:
    note = add_note(lead, "Own", by=member.user)
    Membership.objects.filter(pk=member.pk).update(role=Role.VIEWER)

    assert signed_in(member).post(reverse("leads:note_delete", args=["acme", note.pk])).status_code == 403


def test_deleting_asks_first_and_keeps_the_text_out_of_the_audit_log(
    member: Membership, signed_in: SignIn, lead: Lead
) -> None:
    note = add_note(lead, "Said something private", by=member.user)
    client = signed_in(member)
    where = reverse("leads:note_delete", args=["acme", note.pk])

    assert "Said something private" in client.get(where).content.decode()
    assert lead.notes.exists()
    assert client.post(where).status_code == 302
    assert not lead.notes.exists()
    events = AuditEvent.objects.filter(action__startswith="lead.note")
    assert sorted(events.values_list("action", flat=True)) == ["lead.note_added", "lead.note_deleted"]
    assert "private" not in str(list(events.values()))


@pytest.mark.parametrize("text", ["", "  \n ", "\x01\x02", "x" * (NOTE_LIMIT + 1)])
def test_what_is_no_note_is_refused_with_the_text_kept(
    member: Membership, signed_in: SignIn, lead: Lead, text: str
) -> None:
    client = signed_in(member)

    assert write(client, lead, text) == 422
    assert write(client, lead, text, **{"HX-Request": "true"}) == 422
    assert not lead.notes.exists()


def test_htmx_gets_the_panel_alone(member: Membership, signed_in: SignIn, lead: Lead) -> None:
    answer = signed_in(member).post(
        f"/o/acme/leads/{lead.pk}/notes/", {"text": "Quick one"}, headers={"HX-Request": "true"}
    )

    assert answer.status_code == 200
    assert "Quick one" in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_a_note_is_text_and_its_links_are_safe(member: Membership, signed_in: SignIn, lead: Lead) -> None:
    text = "<script>alert(1)</script> see https://gears.example/a?b=1&c=<x> and javascript:alert(2)"
    add_note(lead, text, by=member.user)

    page = page_of(signed_in(member), lead)

    assert "<script>alert(1)" not in page
    assert '<a href="https://gears.example/a?b=1&amp;c=' in page
    assert 'rel="nofollow"' in page
    assert 'href="javascript' not in page


def test_notes_of_others_are_not_there(member: Membership, signed_in: SignIn) -> None:
    foreign = add_note(LeadFactory(), "Foreign", by=None)
    client = signed_in(member)

    assert write(client, foreign.lead, "Mine") == 404
    for name in ("leads:note_edit", "leads:note_delete"):
        assert client.post(reverse(name, args=["acme", foreign.pk]), {"text": "Mine"}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.text == "Foreign"


def test_an_admin_elsewhere_is_no_admin_here(member: Membership, signed_in: SignIn, lead: Lead) -> None:
    """One person, two organisations: the role of the note's own organisation counts."""
    note = add_note(lead, "Theirs", by=None)
    elsewhere = MembershipFactory(user=member.user, role=Role.ADMIN)

    where = reverse("leads:note_edit", args=[elsewhere.organization.slug, note.pk])
    assert signed_in(member).post(where, {"text": "Mine"}).status_code == 404
    assert not note.may_change(elsewhere)


def test_many_notes_cost_no_more_queries_and_say_that_there_are_older_ones(
    member: Membership, signed_in: SignIn, lead: Lead, django_assert_num_queries: Callable[..., object]
) -> None:
    client = signed_in(member)
    page_of(client, lead)
    for number in range(SHOWN + 1):
        LeadNote.objects.create(organization=lead.organization, lead=lead, author=member.user, text=f"Note-{number:03}")

    page = page_of(client, lead)

    assert f"Note-{SHOWN:03}" in page
    assert "Note-000" not in page
    assert "Older notes" in page
