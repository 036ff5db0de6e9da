"""Searching leads by the beginnings of words."""

from collections.abc import Callable

import pytest
from django.test import Client

from leadagent.leads.inbox.lead_filter import LeadFilter, leads_of
from leadagent.leads.models import Lead
from leadagent.tenants.models import Membership, Organization
from tests.leads.factories import LeadFactory

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


def found(organization: Organization, q: str) -> set[str]:
    return {lead.name for lead in leads_of(organization, LeadFilter.from_values({"q": q}), me=None)}


@pytest.fixture
def jo(organization: Organization) -> Lead:
    LeadFactory(organization=organization, name="Nobody Else", email="x@other.test", company="Other", message="Nothing")
    return LeadFactory(
        organization=organization,
        name="José O'Brien-Smith",
        email="jo.brien+sales@gears.example.com",
        company="Österreich & Söhne GmbH",
        message="See https://shop.gears.test/prices?id=7 <b>bold</b>, 400.5 units, snake_case and ÜBERMORGEN.",
    )


# Written with accents, then without; German, Polish, Danish, Turkish, Icelandic, Czech, French, Vietnamese, Russian.
ACCENTS = [
    ("Müller", "Muller"), ("Łódź", "Lodz"), ("Søren Ærø", "Soren Aero"), ("Işık", "Isik"), ("Þórður", "Thordur"),
    ("Dvořák", "Dvorak"), ("Œuvre Noël", "Oeuvre Noel"), ("Nguyễn", "Nguyen"), ("Straße", "Strasse"),
    ("Йордан", "Иордан"), ("Mu\u0308ller", "Müller"),
]  # fmt: skip


@pytest.mark.parametrize(
    "q",
    [
        "jos", "JOSÉ", "brien", "o'brien", "Smith", "jo.brien+sales@gears.example.com", "jo.brien@", "gears", "exam",
        "sales", "österr", "ÖSTERREICH", "söhne gmbh", "gmbh jos", "shop", "prices", "bold", "400", "400.5", "case",
        "übermorgen", "unit!!", "gears.test", "  jos   smith ",
    ],
)  # fmt: skip
def test_each_word_may_begin_any_word_of_the_lead(organization: Organization, jo: Lead, q: str) -> None:
    assert found(organization, q) == {jo.name}


@pytest.mark.parametrize("q", ["ose", "jos nothing", "xyz", "!!!", "' | 'zx", "':*", "\\", "&", "<->", "%", "\x00"])
def test_what_begins_no_word_finds_nothing_or_all_without_words(organization: Organization, jo: Lead, q: str) -> None:
    expected = {jo.name, "Nobody Else"} if not q.strip("\x00") else set()
    assert found(organization, q) == expected


@pytest.mark.parametrize(("with_them", "without"), ACCENTS)
@pytest.mark.parametrize("field", ["name", "company", "message"])
def test_accents_are_no_difference_in_either_direction(
    organization: Organization, with_them: str, without: str, field: str
) -> None:
    wanted = {LeadFactory(organization=organization, **{field: f"Jo {text}"}).name for text in (with_them, without)}
    LeadFactory(organization=organization, name="Nobody Else", message="Nothing")

    for asked in (with_them, without, with_them.upper(), without.lower(), without[:4]):
        assert found(organization, asked) == wanted, asked


def test_other_scripts_keep_their_letters(organization: Organization) -> None:
    LeadFactory(organization=organization, name="서울 (株)ガラス")

    assert found(organization, "서울") == {"서울 (株)ガラス"}
    assert found(organization, "ガラ") == {"서울 (株)ガラス"}
    assert found(organization, "カラ") == set(), "another word in Japanese"


def test_operators_of_the_search_language_are_words(organization: Organization, jo: Lead) -> None:
    assert found(organization, "jos | nothing") == set()
    assert found(organization, "!nothing") == {"Nobody Else"}


def test_search_stays_at_home(organization: Organization) -> None:
    LeadFactory(name="Foreign", company="Gears")
    assert found(organization, "gears") == set()


def test_a_changed_lead_is_found_by_its_new_words(organization: Organization, jo: Lead) -> None:
    Lead.objects.filter(pk=jo.pk).update(company="Velvet")
    assert found(organization, "velvet") == {jo.name}
    assert found(organization, "österreich") == set()


def test_a_long_question_is_cut_and_answered(viewer: Membership, signed_in: SignIn) -> None:
    LeadFactory(organization=viewer.organization)
    response = signed_in(viewer).get("/o/acme/leads/", {"q": "gears " * 5000})
    assert response.status_code == 200
    assert "/leads/0" in response.content.decode()


def test_a_search_by_htmx_gets_the_results_alone(viewer: Membership, signed_in: SignIn, jo: Lead) -> None:
    headers = {"HX-Request": "true", "HX-Target": "lead-results"}
    page = signed_in(viewer).get("/o/acme/leads/?q=jos", headers=headers).content.decode()
    assert page.strip().startswith('<div id="lead-results"')
    assert "José" in page
    assert "Nobody Else" not in page


def test_nothing_found_is_no_dead_end(viewer: Membership, signed_in: SignIn, jo: Lead) -> None:
    page = signed_in(viewer).get("/o/acme/leads/?q=zzz").content.decode()
    assert "No lead fits" in page
    assert 'value="zzz"' in page
    assert "Show all leads" in page
