"""Every form of every page, filled in badly: nothing breaks, and nothing that was typed is lost.

A refused form comes back with what was typed (but never with a key or a password) and says what is wrong at the field.
"""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import pytest
from django.core.cache import cache
from django.db import connection
from django.urls import resolve, reverse

from tests.byok.fake_provider import FakeProvider
from tests.fuzz.pages.markup import Form, as_shown, complaints, held, parsed, silent_controls
from tests.fuzz.pages.site import NOT_SHOWN, Place, furnished, hidden_places, places, signed_in
from tests.fuzz.pages.values import KEY, filled_in
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import Crashes, undone
from tests.routes import ROUTES
from tests.tenants.route_kwargs import IN_ONE_SESSION

# Fields of one form that other buttons of it need; this one says nothing about them.
FOR_OTHER_BUTTONS = {
    "leads:draft_save": {"instruction", "send_at"},
    "leads:draft_discard": {"instruction", "send_at", "subject", "body"},
}
# They answer the same whether there is such an account or not, and write nothing where there is none.
NOTHING_TO_KEEP = {"/accounts/password/reset/"}

pytestmark = pytest.mark.django_db


class Writes:
    """Whether something of the product was written: traces of a visit do not count."""

    _TRACES = ("django_session", "tenants_auditevent", "tenants_auditchain")

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        text = str(sql)
        if text.startswith(("INSERT", "UPDATE", "DELETE")) and not any(trace in text for trace in self._TRACES):
            self.seen = True
        return execute(sql, params, many, context)


def test_forms_break_nothing_and_lose_nothing(fake: FakeProvider, counted: Callable[[Tally], None]) -> None:
    fake.answers(401, {"error": {"message": "No such key.", "code": "invalid_api_key"}})
    tally = Tally("forms")
    tenant = furnished()
    found = [place for place in places(tenant) if place.form.method == "post" and not place.form.has_files]
    found += hidden_places(tenant)
    crashes = Crashes()
    with crashes.watched():
        for number in range(SIZES.form_inputs):
            _send(found[number % len(found)], Random(number), tally, crashes, f"input {number}")
    counted(tally)


def _send(place: Place, draw: Random, tally: Tally, crashes: Crashes, example: str) -> None:
    tally.tried += 1
    sent = filled_in(draw, place.form)
    body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sent)
    headers = {"HX-Request": "true"} if place.form.by_htmx and draw.random() < 0.5 else {}
    if draw.random() < 0.2:
        cache.clear()
    writes = Writes()
    crashes.latest = ""
    # What is undone in the database is undone in the browser.
    cookies = deepcopy(place.client.cookies)
    with undone(), connection.execute_wrapper(writes):
        answer = place.client.post(
            place.form.action, body, content_type="application/x-www-form-urlencoded", headers=headers
        )
        content = answer.getvalue()
    place.client.cookies = cookies
    tally.outcomes[str(answer.status_code)] += 1
    where = place.form.action
    if answer.status_code >= 500:
        tally.fail("crashed", f"{where}: {crashes.latest}", example=f"{example} {sent!r:.300}")
        return
    for problem in problems(place.form, sent, answer, content, has_written=writes.seen):
        tally.fail("lost", f"{where}: {problem}", example=f"{example} {answer.status_code} {headers} {sent!r:.300}")


def problems(form: Form, sent: list[tuple[str, str]], answer: Any, content: bytes, *, has_written: bool) -> list[str]:
    """What is wrong with the answer to a form: empty for one that was taken, or refused as it should be."""
    typed = {control.name: control for control in form.controls if control.is_typed}
    values = dict(sent)
    texts = {
        name: values[name]
        for name, control in typed.items()
        if as_shown(values.get(name, "")) not in {"", as_shown(control.value)}
        and not control.is_secret
        and KEY not in values[name]
        and not _depends_on_choice(name, values)
        and name not in FOR_OTHER_BUTTONS.get(resolve(form.action.partition("?")[0]).view_name, ())
        # Hidden, for password managers.
        and name != "username"
    }
    if not could_be_sent(form, sent):
        texts = {}
    secrets = {name for name, control in typed.items() if control.is_secret or values.get(name) == KEY}
    if not form.refuses_keys:
        secrets = {name for name in secrets if values.get(name) != KEY or typed[name].is_secret}
    # What was typed into another field too may come back there.
    elsewhere = "\n".join(values[name] for name in values.keys() - secrets)
    found = [
        f"shows the secret of {name}"
        for name in sorted(secrets)
        if values.get(name, "") not in elsewhere and _is_shown(values.get(name, ""), content)
    ]
    if answer.status_code in {301, 302, 303} or "HX-Redirect" in answer.headers:
        address = as_shown(unquote_plus(unquote_plus(answer.headers.get("Location", ""))))
        in_address = all(as_shown(text)[:60] in address for text in texts.values())
        is_kept = has_written or in_address or values.get("fax_extension") or form.action in NOTHING_TO_KEEP
        if texts and not is_kept:
            found.append(
                f"sent on to {answer.headers.get('Location', '').partition('?')[0]} without keeping {sorted(texts)}"
            )
        return found
    if "text/html" not in answer.headers.get("Content-Type", ""):
        return found
    tree = parsed(content)
    found += [f"{name} is marked without a message" for name in silent_controls(tree)]
    is_refused = answer.status_code in {400, 409, 422, 429} or bool(tree.xpath("//*[@aria-invalid='true']"))
    if not is_refused:
        return found
    if not complaints(tree):
        found.append("refused without a word")
    if form.by_htmx and all(held(tree, name) is None for name in typed):
        # A fragment that is put beside the form: what was typed stays where it is.
        return found
    for name, text in texts.items():
        there = held(tree, name)
        if there is None:
            found.append(f"{name} is not asked for again")
        elif as_shown(text) not in there:
            found.append(f"{name} does not hold what was typed")
    return found


def could_be_sent(form: Form, sent: list[tuple[str, str]]) -> bool:
    """Whether a person with a browser can send this: what is hidden is as it was, and choices are among those offered."""
    named = [name for name, _ in sent]
    by_name = {control.name: control for control in form.controls}
    return all(
        name in by_name
        and named.count(name) == 1
        and (by_name[name].kind != "hidden" or value == by_name[name].value)
        and (not by_name[name].options or value in by_name[name].options)
        for name, value in sent
    ) and all(control.name in named for control in form.controls if control.kind in {"hidden", "select", "textarea"})


def _depends_on_choice(name: str, values: dict[str, str]) -> bool:
    """Fields of the AI settings that only the chosen provider has; another one was chosen in the same form."""
    provider = values.get("provider")
    return provider is not None and (
        (name.startswith("openrouter_") and provider != "openrouter") or (provider == "platform_default")
    )


def _is_shown(value: str, content: bytes) -> bool:
    """Short ones may stand in a page by chance."""
    return len(value) > 20 and value.isascii() and value.encode() in content


def test_every_address_that_takes_a_form_is_tried(fake: FakeProvider) -> None:
    """Found by walking through the pages, or on the list of those that no page of the furnished organisation shows."""
    tenant = furnished()
    client = signed_in(tenant)
    walked = {resolve(place.form.action.partition("?")[0]).view_name for place in places(tenant)}
    for route in ROUTES:
        if route.needed is None or route.name in walked | NOT_SHOWN.keys() | IN_ONE_SESSION.keys():
            continue
        named = {"org": tenant.organization.slug} | {
            name: tenant.ids[name] for name in route.in_address if name != "org"
        }
        with undone():
            answer = client.post(reverse(route.name, kwargs=named))
        assert answer.status_code == 405, f"{route.name} takes a form that is not tried: show it, or put it on the list"
    assert NOT_SHOWN.keys() & walked == set(), "shown by now: take it off the list"
