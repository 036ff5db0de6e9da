"""Forms as a browser finds them in a page, and whether a page gives back what was typed and says what is wrong."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import lxml.html

_TYPED = {
    "text", "search", "email", "url", "tel", "number", "date", "datetime-local", "month", "time", "textarea", "password",
}  # fmt: skip
SECRET_NAMES = {"api_key", "password", "password1", "password2", "oldpassword", "slack_url", "code"}


@dataclass(frozen=True, slots=True)
class Control:
    """`kind`: the type of an input, or "textarea", "select"; `options`: what a person can choose; `value`: what it holds."""

    name: str
    kind: str
    value: str
    options: tuple[str, ...] = ()
    # The most characters that a browser takes; None for any number.
    most: int | None = None

    @property
    def is_typed(self) -> bool:
        return self.kind in _TYPED

    @property
    def is_secret(self) -> bool:
        """What may never stand in a page again."""
        return self.kind == "password" or self.name in SECRET_NAMES


@dataclass(frozen=True, slots=True)
class Form:
    page: str
    action: str
    method: str
    controls: tuple[Control, ...] = field(repr=False)
    has_files: bool = False
    # Whether htmx sends it, beside plain HTML.
    by_htmx: bool = False

    @property
    def refuses_keys(self) -> bool:
        """The forms where a key may end up in a wrong field: such a one is told, and not kept."""
        near_keys = any(control.name == "api_key" for control in self.controls)
        return near_keys or "/settings/emails/" in self.action or "/settings/prompts/" in self.action


def parsed(content: bytes) -> Any:
    """The page's tree; a fragment has a body too."""
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    return lxml.html.document_fromstring(
        b"<!doctype html><body>" + (content.replace(b"\0", b" ") or b" "), parser=parser
    )


def forms_in(tree: Any, page: str) -> Iterator[Form]:
    """Every form of a page; a button with an address of its own makes another one."""
    for element in tree.iter("form"):
        method = (element.get("method") or "get").lower()
        if method not in {"get", "post"}:
            continue
        inside = list(element.iter("input", "textarea", "select"))
        if element.get("id"):
            inside += tree.xpath("//*[@form=$id][self::input or self::textarea or self::select]", id=element.get("id"))
        controls = tuple(_controls(inside))
        has_files = any(control.kind == "file" for control in controls)
        actions = {urljoin(page, element.get("action") or page)}
        actions |= {urljoin(page, button.get("formaction")) for button in element.xpath(".//button[@formaction]")}
        sent_by_htmx = {
            urljoin(page, one.get("hx-post"))
            for one in [element, *element.xpath(".//button[@hx-post]")]
            if one.get("hx-post")
        }
        for action in sorted(actions):
            yield Form(page, action, method, controls, has_files, by_htmx=action in sent_by_htmx)


def _controls(elements: list[Any]) -> Iterator[Control]:
    grouped: dict[str, list[str]] = {}
    for element in elements:
        name = element.get("name")
        if not name or name == "csrfmiddlewaretoken" or element.get("disabled") is not None:
            continue
        kind = element.tag if element.tag in {"textarea", "select"} else (element.get("type") or "text").lower()
        if kind in {"submit", "button", "reset", "image"}:
            continue
        if kind in {"radio", "checkbox"}:
            grouped.setdefault(f"{kind} {name}", []).append(element.get("value") or "on")
            continue
        yield Control(name, kind, _value(element), tuple(_options(element)), _most(element))
    for group, values in grouped.items():
        kind, _, name = group.partition(" ")
        yield Control(name, kind, values[0], tuple(values))


def _most(element: Any) -> int | None:
    written = element.get("maxlength") or ""
    return int(written) if written.isdecimal() else None


def _options(element: Any) -> list[str]:
    return [option.get("value", option.text or "") for option in element.iter("option")]


def _value(element: Any) -> str:
    if element.tag == "textarea":
        return (element.text or "").removeprefix("\n")
    if element.tag == "select":
        chosen = element.xpath(".//option[@selected]") or element.xpath(".//option")
        return str(chosen[0].get("value", chosen[0].text or "")) if chosen else ""
    return str(element.get("value") or "")


def as_shown(text: str) -> str:
    """A typed text as it can be compared: without control characters, white space squeezed."""
    kept = "".join(c if c in "\n\t\r" or unicodedata.category(c) not in {"Cc", "Cs", "Cn"} else " " for c in text)
    return " ".join(kept.split())


def held(tree: Any, name: str) -> list[str] | None:
    """What the controls of this name hold; None where the page has no such control."""
    found = tree.xpath("//*[@name=$name][self::input or self::textarea or self::select]", name=name)
    return [as_shown(_value(element)) for element in found] if found else None


def complaints(tree: Any) -> list[str]:
    """The messages about what is wrong: at fields that say so by `aria-describedby`, in the summary, in alerts.

    A fragment is put into a live region: all of it is the message.
    """
    if not tree.xpath("//main"):
        return [_text(tree)] if _text(tree) else []
    told = "//*[@role='alert' or contains(@class, 'kind-bad') or contains(@class, 'kind-warn')]"
    texts = [_text(one) for one in tree.xpath(told)]
    for control in tree.xpath("//*[@aria-invalid='true']"):
        texts += [_text(one) for one in _describing(tree, control)]
    return [text for text in texts if text]


def silent_controls(tree: Any) -> list[str]:
    """Names of controls that are marked as invalid without naming a message that is there."""
    return [
        str(control.get("name"))
        for control in tree.xpath("//*[@aria-invalid='true']")
        if not any(_text(one) for one in _describing(tree, control))
    ]


def _describing(tree: Any, control: Any) -> list[Any]:
    ids = (control.get("aria-describedby") or "").split()
    fieldsets = control.xpath("ancestor::fieldset[@aria-describedby]")
    ids += [name for one in fieldsets for name in one.get("aria-describedby").split()]
    return [one for name in ids for one in tree.xpath("//*[@id=$id]", id=name)]


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())
