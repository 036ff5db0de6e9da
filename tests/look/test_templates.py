"""Rules that every template of the product keeps."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.password_validation import MinimumLengthValidator, get_default_password_validators
from django.template import engines
from django.template.loader import get_template
from django.test import Client

from leadagent.tenants.models import Role
from tests.factories import MembershipFactory

TEMPLATES = Path(django_settings.BASE_DIR) / "templates"
STATIC = Path(django_settings.BASE_DIR) / "static"
PAGES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))


def markup(name: str) -> str:
    """The template without its comments."""
    text = (TEMPLATES / name).read_text()
    return re.sub(r"\{%\s*comment\b.*?endcomment\s*%\}|\{#.*?#\}", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_it_compiles_and_holds_nothing_inline(name: str) -> None:
    get_template(name)
    text = markup(name)
    assert not re.search(r"<style|\sstyle\s*=", text), "the policy refuses inline styles"
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "the policy refuses inline scripts"
    assert not re.search(r"\son[a-z]+\s*=", text), "the policy refuses inline handlers"
    assert not re.search(r'(?:href|action|src)="/', text), "addresses come from {% url %} and {% static %}"


def test_every_class_has_a_look() -> None:
    """A class that no style sheet knows is a typo or a forgotten rule."""
    sheets = " ".join(sheet.read_text() for sheet in (STATIC / "css").rglob("*.css"))
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", re.sub(r"/\*.*?\*/", "", sheets, flags=re.DOTALL)))
    unknown = {}
    for name in PAGES:
        for value in re.findall(r'\sclass="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\}|\{)*)"', markup(name)):
            # What a value completes (`kind-{{ kind }}`) is not a class yet.
            words = re.sub(r"\S*\{\{.*?\}\}\S*", "", re.sub(r"\{%.*?%\}", " ", value)).split()
            for word in set(words) - known:
                unknown[word] = name
    assert unknown == {}


def test_the_layers_are_the_five_of_the_house() -> None:
    order = re.search(r"@layer ([^;{]+);", (STATIC / "css" / "tokens.css").read_text())
    assert order
    assert order.group(1) == "tokens, base, layout, components, pages"
    for sheet in (STATIC / "css").glob("*.css"):
        opened = set(re.findall(r"@layer (\w+) \{", sheet.read_text()))
        assert len(opened) == 1, sheet.name
        assert opened < set(order.group(1).split(", ")), sheet.name


def test_the_hint_below_new_passwords_tells_the_truth() -> None:
    [shortest] = [v.min_length for v in get_default_password_validators() if isinstance(v, MinimumLengthValidator)]
    assert f"At least {shortest} characters;" in markup("account/signup.html")


def render(source: str, **context: object) -> str:
    return " ".join(engines["django"].from_string(source).render(context).split())


def test_a_key_is_never_rendered() -> None:
    from tests.look.urls import SampleForm

    form = SampleForm({"api_key": "sk-or-v1-secret"})
    assert "sk-or-v1-secret" in str(form["api_key"]), "the widget itself would give it away"
    assert "secret" not in render('{% include "components/key_field.html" with field=form.api_key only %}', form=form)


def test_a_meter_warns_from_its_limit_on_and_is_bad_when_full() -> None:
    source = '{% include "components/meter.html" with id="m" label="Free" value=value max=50 text="t" high=40 only %}'
    assert 'low="40" high="50" optimum="0"' in render(source, value=39)
    assert 'low="0.000001" high="50" optimum="0"' in render(source, value=40), "the limit itself counts as below it"
    assert 'low="0.000001" high="0.000001" optimum="0"' in render(source, value=50)


@pytest.mark.parametrize(("role", "sees_settings"), [(Role.VIEWER, False), (Role.MEMBER, False), (Role.ADMIN, True)])
def test_the_rail_shows_what_the_role_may_open(client: Client, db: None, role: Role, sees_settings: bool) -> None:
    membership = MembershipFactory(organization__name="Acme", organization__slug="acme", role=role)
    client.force_login(membership.user)
    page = client.get("/o/acme/leads/").content.decode()
    rail = page[page.index('<nav class="rail-nav"') :]
    rail = rail[: rail.index("</nav>")]
    places = {"Leads": "leads", "Usage": "usage", "Models": "models", "Knowledge": "knowledge"}
    if sees_settings:
        places["Settings"] = "settings/ai"
    shown = re.findall(r'href="([^"]*)".*?<span>(\w+)</span>', rail, flags=re.DOTALL)
    assert shown == [(f"/o/acme/{path}/", label) for label, path in places.items()]


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/o/acme/leads/", ["Leads"]),
        ("/o/acme/knowledge/", ["Knowledge"]),
        ("/o/acme/usage/", ["Usage"]),
        ("/o/acme/models/", ["Models"]),
        ("/o/acme/models/compare/", ["Models"]),
        ("/o/acme/settings/ai/", ["Settings", "AI"]),
        ("/o/acme/settings/members/", ["Settings", "Members"]),
        ("/o/acme/settings/tokens/", ["Settings", "API tokens"]),
    ],
)
def test_the_page_knows_where_it_is(client: Client, db: None, path: str, current: list[str]) -> None:
    membership = MembershipFactory(organization__name="Acme", organization__slug="acme", role=Role.ADMIN)
    client.force_login(membership.user)
    page = client.get(path).content.decode()
    marked = re.findall(r'aria-current="page">(.*?)</a>', page, flags=re.DOTALL)
    assert [re.sub(r"<.*?>", "", found, flags=re.DOTALL).strip() for found in marked] == current
    assert re.search(r"<title>\S[^<]* · Acme · Lead Agent</title>", page)


def test_the_component_list_is_complete() -> None:
    """docs/components.md names every component that exists, and no other."""
    text = (Path(django_settings.BASE_DIR) / "docs" / "components.md").read_text()
    existing = {path.name for path in (TEMPLATES / "components").glob("*.html")}
    assert set(re.findall(r"components/(\w+\.html)", text)) <= existing
    inner = {
        inner
        for name in PAGES
        if name.startswith(("components/", "base", "account/"))
        for inner in re.findall(r'include "components/(\w+\.html)"', markup(name))
    }
    assert {name for name in existing - inner if name not in text} == set()
