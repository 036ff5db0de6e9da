"""The knowledge page: add, search, prepare again, delete; and what an organisation without embeddings sees."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from byok.errors import AIError
from leadagent.leads.knowledge.indexing import index_document
from leadagent.leads.models import Document, DocumentStatus
from leadagent.tenants.models import AuditEvent, Membership
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import DocumentFactory

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
PAGE = "/o/acme/knowledge/"


@pytest.fixture
def document(member: Membership) -> Document:
    made: Document = DocumentFactory(organization=member.organization, title="Prices", content="Ten dollars a month.")
    index_document(made.pk)
    made.refresh_from_db()
    return made


def test_a_pasted_text_is_prepared_by_a_worker(
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    provider: FakeProvider,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client = signed_in(member)
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"{PAGE}add/", {"title": "Prices", "content": "Ten dollars."})

    document = Document.objects.get()
    assert response.headers["Location"] == PAGE
    assert (document.organization, document.created_by) == (member.organization, member.user)
    assert [(name, pk) for name, pk, _ in nudges.sent] == [("index_document", document.pk)]
    assert "embedding" not in provider.operations, "the page itself waits for no provider"
    page = client.get(PAGE).content.decode()
    assert "Being prepared" in page
    assert "every 2s" in page

    index_document(document.pk)
    page = client.get(PAGE).content.decode()
    assert "Ready" in page
    assert "every 2s" not in page


def test_a_mistake_keeps_the_text(member: Membership, signed_in: SignIn) -> None:
    response = signed_in(member).post(f"{PAGE}add/", {"title": "", "content": "Ten dollars."})

    assert response.status_code == 422
    assert "Ten dollars." in response.content.decode()
    assert not Document.objects.exists()


def test_a_search_shows_the_nearest_passages(member: Membership, signed_in: SignIn, document: Document) -> None:
    DocumentFactory(title="Foreign")

    page = signed_in(member).post(f"{PAGE}search/", {"query": "What does it cost?"}).content.decode()

    assert "Nearest passages" in page
    assert "Ten dollars a month." in page
    assert "Foreign" not in page


def test_a_search_that_fails_says_why(
    member: Membership, signed_in: SignIn, document: Document, provider: FakeProvider
) -> None:
    provider.fail_with["embedding"] = AIError("invalid_key", provider="openai")

    response = signed_in(member).post(f"{PAGE}search/", {"query": "price"})

    assert response.status_code == 409
    assert "refused the key" in response.content.decode()


def test_looking_costs_nothing(viewer: Membership, signed_in: SignIn, document: Document) -> None:
    client = signed_in(viewer)
    page = client.get(PAGE).content.decode()

    assert "Prices" in page
    assert 'action="/o/acme/knowledge/' not in page
    assert f"{PAGE}{document.pk}/delete/" not in page
    assert client.get(f"{PAGE}search/").status_code == 403
    assert client.post(f"{PAGE}search/", {"query": "x"}).status_code == 403
    assert client.post(f"{PAGE}add/", {"title": "x", "content": "x"}).status_code == 403


def test_an_organisation_without_embeddings_sees_the_sentence_in_place_of_the_form(
    admin: Membership, member: Membership, signed_in: SignIn, document: Document, provider: FakeProvider
) -> None:
    provider.fail_with["embedding config"] = AIError(
        "config_missing", provider="anthropic", sentence="Anthropic offers no embeddings."
    )

    page = signed_in(admin).get(PAGE).content.decode()

    assert "Anthropic offers no embeddings." in page
    assert "Open the AI settings" in page
    assert "<textarea" in page, "documents are taken in and wait"
    assert "Search by meaning" not in page
    assert "Open the AI settings" not in signed_in(member).get(PAGE).content.decode()


def test_a_failed_document_says_why_and_is_prepared_again(
    member: Membership,
    signed_in: SignIn,
    provider: FakeProvider,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    document = DocumentFactory(organization=member.organization)
    provider.fail_with["embedding"] = AIError("no_credit", provider="openai")
    index_document(document.pk)
    client = signed_in(member)
    assert "no credit left" in client.get(PAGE).content.decode()

    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"{PAGE}{document.pk}/again/")

    document.refresh_from_db()
    assert document.status == DocumentStatus.PENDING
    assert nudges.names == ["index_document"]


def test_a_document_is_read_and_deleted(member: Membership, signed_in: SignIn, document: Document) -> None:
    client = signed_in(member)
    assert "Ten dollars a month." in client.get(f"{PAGE}{document.pk}/").content.decode()
    assert "cannot be undone" in client.get(f"{PAGE}{document.pk}/delete/").content.decode()
    assert Document.objects.exists()

    client.post(f"{PAGE}{document.pk}/delete/")

    assert not Document.objects.exists()
    event = AuditEvent.objects.get(action="document.deleted")
    assert (event.actor, event.target) == (member.user, "Prices")


def test_another_organisations_document_is_not_there(member: Membership, signed_in: SignIn) -> None:
    foreign = DocumentFactory()
    client = signed_in(member)

    for path, method in (("", client.get), ("delete/", client.get), ("delete/", client.post), ("again/", client.post)):
        assert method(f"{PAGE}{foreign.pk}/{path}").status_code == 404
    assert Document.objects.filter(pk=foreign.pk).exists()


def test_a_long_document_shows_its_passages_by_and_by(member: Membership, signed_in: SignIn) -> None:
    long = DocumentFactory(
        organization=member.organization, content="\n\n".join(f"# Part {n}\n\n**Price** {n}" for n in range(120))
    )
    index_document(long.pk)
    client, address = signed_in(member), f"{PAGE}{long.pk}/"

    first = client.get(address).content.decode()
    assert "<strong>Price</strong> 49" in first
    assert "<strong>Price</strong> 50" not in first
    assert f"{address}?from=50" in first
    more = client.get(f"{address}?from=50", headers={"HX-Request": "true"}).content.decode()
    assert "<strong>Price</strong> 50" in more
    assert "<html" not in more
    linked = client.get(f"{address}?passage=70").content.decode()
    assert 'id="passage-70"' in linked
    assert "Show from the beginning" in linked
    assert client.get(f"{address}?passage=-1&from=x").status_code == 200


def test_a_hit_is_shown_between_its_neighbours(member: Membership, signed_in: SignIn) -> None:
    document = DocumentFactory(
        organization=member.organization,
        title="List",
        content="# One\n\nbefore\n\n# Two\n\n*middle*\n\n# Three\n\nafter",
    )
    index_document(document.pk)
    for chunk in document.chunks.exclude(position=1):
        chunk.vectors.all().delete()

    page = signed_in(member).post(f"{PAGE}search/", {"query": "price"}).content.decode()

    assert "<em>middle</em>" in page
    assert "\u2026 One before" in page
    assert "Three after \u2026" in page
    assert f"{PAGE}{document.pk}/?passage=1#passage-1" in page


def test_the_list_is_paged_and_filtered(member: Membership, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadagent.leads.views.knowledge.SHOWN", 2)
    for number in range(3):
        DocumentFactory(organization=member.organization, title=f"Text {number}", status="ready")
    DocumentFactory(organization=member.organization, title="Stopped", status="waiting")
    client = signed_in(member)

    first = client.get(f"{PAGE}?status=ready").content.decode()
    assert "Text 2" in first
    assert "Text 0" not in first
    assert "Stopped" not in first
    [following] = set(re.findall(r'href="(\?status=ready&amp;after=[^"]+)"', first))
    rest = client.get(PAGE + following.replace("&amp;", "&"), headers={"HX-Request": "true"}).content.decode()
    assert "Text 0" in rest
    assert "Text 1" not in rest
    assert "Stopped" in client.get(f"{PAGE}?status=stopped").content.decode()
    assert "Text 2" in client.get(f"{PAGE}?status=x&after=y").content.decode()


FOREIGN = (
    ("get", ""), ("get", "rename/"), ("post", "rename/"), ("get", "replace/"), ("post", "replace/"),
    ("post", "replace/file/"), ("post", "again/"), ("get", "delete/"), ("post", "delete/"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "act"), FOREIGN)
def test_a_foreign_document_is_not_there(member: Membership, signed_in: SignIn, method: str, act: str) -> None:
    foreign = DocumentFactory(title="Foreign", status="failed")
    answer = getattr(signed_in(member), method)(f"{PAGE}{foreign.pk}/{act}", {"title": "Mine", "content": "Mine"})
    assert answer.status_code == 404
    foreign.refresh_from_db()
    assert (foreign.title, foreign.status, foreign.version) == ("Foreign", "failed", 1)


def test_a_document_is_renamed_and_replaced(
    member: Membership, signed_in: SignIn, document: Document, nudges: Nudges
) -> None:
    client = signed_in(member)
    assert client.post(f"{PAGE}{document.pk}/rename/", {"title": " "}).status_code == 422
    client.post(f"{PAGE}{document.pk}/rename/", {"title": "Price list"})
    assert client.post(f"{PAGE}{document.pk}/replace/", {"content": "\x00", "version": "1"}).status_code == 422
    client.post(f"{PAGE}{document.pk}/replace/", {"content": "Twenty dollars.", "version": "1"})

    page = client.get(f"{PAGE}{document.pk}/").content.decode()
    assert "Price list" in page
    assert "Version 1 is found until this is done." in page
    told = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(told) == ["document.renamed", "document.replaced"]


@pytest.mark.parametrize(("version", "status"), [("1", 409), ("x", 422), ("", 422)])
def test_a_text_that_was_replaced_meanwhile_is_not_overwritten_unread(
    member: Membership, signed_in: SignIn, document: Document, nudges: Nudges, version: str, status: int
) -> None:
    client, where = signed_in(member), f"{PAGE}{document.pk}/replace/"
    client.post(where, {"content": "Theirs, saved first.", "version": "1"})

    answer = client.post(where, {"content": "Mine, typed meanwhile.", "version": version})

    page = answer.content.decode()
    assert answer.status_code == status
    assert "Mine, typed meanwhile.</textarea>" in page
    assert "Theirs, saved first." in page
    document.refresh_from_db()
    assert (document.content, document.version) == ("Theirs, saved first.", 2)
    assert 'name="version" value="2"' in page
    client.post(where, {"content": "Mine, typed meanwhile.", "version": "2"})
    document.refresh_from_db()
    assert document.content == "Mine, typed meanwhile."
