"""Every page with queries that nobody would type: filters, cursors, orders, periods, searches, odd paths and cookies.

Nothing breaks, and what was typed into a filter is still in its field.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import pytest
from django.conf import settings
from django.test import Client

from tests.fuzz.pages.markup import Form, as_shown, complaints, forms_in, held, parsed, silent_controls
from tests.fuzz.pages.site import addresses, furnished, signed_in
from tests.fuzz.pages.values import KEY, ODD
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import Crashes, undone

pytestmark = pytest.mark.django_db

# Asked for by scripts, or by links that a furnished page does not show.
_FURTHER = ("cursor", "page", "q", "sort", "period", "start", "end", "limit", "provider", "m", "next", "kind", "format", "days",
            "against", "old", "new", "status", "operation", "since", "until", "model", "lead", "run", "tried", "code")  # fmt: skip
_RAW = (
    "%", "%%%", "%ff=%fe", "a=%00", "%00=a", "&&&", "=", "==&=", "q=%ED%A0%80", "q=%C3%28", "q=" + "a" * 8_000, ";", "?", "#",
    "q[]=1&q[a]=2", "+", "cursor=" + "A" * 200, "cursor=eyJhIjoxfQ==", "sort=-", "q=a&q=b&q=c", "&".join("a=1" for _ in range(1_100)),
)  # fmt: skip


def _names(client: Client, where: str) -> tuple[list[str], list[Form]]:
    """The parameters that a page's links and forms use for it, and its forms."""
    answer = client.get(where)
    if answer.status_code != 200 or "text/html" not in answer.headers.get("Content-Type", ""):
        return [], []
    tree = parsed(answer.getvalue())
    forms = [form for form in forms_in(tree, where) if form.method == "get"]
    links = [str(one).partition("?")[2] for one in tree.xpath("//@href | //@hx-get")]
    names = {name for link in links for name, _ in parse_qsl(link)}
    return sorted(names | {control.name for form in forms for control in form.controls}), forms


def queries(client: Client, pages: list[str]) -> Iterator[tuple[str, Form | None, list[tuple[str, str]], str]]:
    """Without end: a page, the filter form that was filled in (if one was), what is sent, as text."""
    known = {where: _names(client, where) for where in pages}
    asked = [where for where in pages if known[where][0]]
    number = 0
    while True:
        draw = Random(number)
        number += 1
        where = draw.choice(asked if draw.random() < 0.85 else pages)
        names, forms = known[where]
        if draw.random() < 0.1:
            yield where, None, [], draw.choice(_RAW)
            continue
        if forms and draw.random() < 0.5:
            form = draw.choice(forms)
            sent = [(one.name, _value(draw, one.options)) for one in form.controls if draw.random() < 0.7]
            yield form.action.partition("?")[0], form, sent, _text(sent)
            continue
        sent = [(draw.choice(names or _FURTHER), _value(draw, ())) for _ in range(draw.choice((1, 1, 2, 4)))]
        sent += [(draw.choice(_FURTHER), _value(draw, ()))] if draw.random() < 0.3 else []
        yield where, None, sent, _text(sent)


def _value(draw: Random, options: tuple[str, ...]) -> str:
    text = draw.choice(options) if options and draw.random() < 0.8 else draw.choice(ODD)
    return text[:4_000]  # servers take no longer request line


def _text(sent: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sent)


def test_queries_break_nothing_and_lose_nothing(counted: Callable[[Tally], None]) -> None:
    tally = Tally("queries")
    tenant = furnished()
    client = signed_in(tenant)
    found = queries(client, [where for where in addresses(tenant) if where.startswith("/o/")])
    crashes = Crashes()
    with crashes.watched():
        for number in range(SIZES.query_inputs):
            where, form, sent, text = next(found)
            headers = {"HX-Request": "true"} if number % 4 == 0 and form is None else {}
            tally.tried += 1
            crashes.latest = ""
            with undone():
                answer = client.get(f"{where}?{text}", headers=headers)
                content = answer.getvalue()
            tally.outcomes[str(answer.status_code)] += 1
            if answer.status_code >= 500:
                tally.fail("crashed", f"{where}: {crashes.latest}", example=f"{text:.300}")
            elif form is not None and answer.status_code in {200, 422}:
                for problem in _lost(form, sent, content):
                    tally.fail("lost", f"{where}: {problem}", example=f"{answer.status_code} {text:.300}")
    counted(tally)


def _lost(form: Form, sent: list[tuple[str, str]], content: bytes) -> Iterator[str]:
    tree = parsed(content)
    marked = bool(tree.xpath("//*[@aria-invalid='true']"))
    yield from (f"{name} is marked without a message" for name in silent_controls(tree))
    if marked and not complaints(tree):
        yield "refused without a word"
    values = dict(sent)
    for control in form.controls:
        text = values.get(control.name, "")
        fits = control.most is None or len(text) <= control.most
        if not control.is_typed or not as_shown(text) or not fits or KEY in text:
            continue
        there = held(tree, control.name)
        if there is None or as_shown(text) not in there:
            yield f"{control.name} does not hold what was typed"


def test_paths_and_headers_break_nothing(counted: Callable[[Tally], None]) -> None:
    """Paths with odd parts, cookies and headers that servers let through."""
    tally = Tally("paths and headers")
    tenant = furnished()
    pages = addresses(tenant)
    client = signed_in(tenant)
    crashes = Crashes()
    with crashes.watched():
        for number in range(max(SIZES.query_inputs // 4, 100)):
            draw = Random(number)
            parts = draw.choice(pages).split("/")
            parts[draw.randrange(1, len(parts))] = quote(draw.choice(ODD)[:500], safe="")
            where = "/".join(parts) if draw.random() < 0.7 else draw.choice(pages)
            stranger = Client(raise_request_exception=False)
            name = draw.choice((settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, "messages", "x"))
            stranger.cookies[name] = _one_line(draw)
            tally.tried += 1
            crashes.latest = ""
            with undone():
                who = client if number % 3 else stranger
                answer: Any = who.generic(draw.choice(("GET", "GET", "POST", "HEAD")), where, headers=_headers(draw))
                answer.getvalue()
            tally.outcomes[str(answer.status_code)] += 1
            if answer.status_code >= 500:
                tally.fail("crashed", f"{crashes.latest}", example=f"{where} {stranger.cookies.output()!r:.200}")
    counted(tally)


def _headers(draw: Random) -> dict[str, str]:
    names = ("HX-Request", "HX-Current-URL", "HX-Target", "HX-Trigger", "Referer", "Accept", "Accept-Language", "If-None-Match",
             "X-Organization", "X-Forwarded-For", "Range", "If-Modified-Since", "User-Agent")  # fmt: skip
    return {draw.choice(names): _one_line(draw)} if draw.random() < 0.6 else {}


def _one_line(draw: Random) -> str:
    """As servers hand over cookies and headers: text of one line in Latin-1."""
    return draw.choice(ODD)[:2_000].replace("\r", "").replace("\n", "").encode("utf-8", "replace").decode("latin-1")
