"""What an audit event changed, field by field, in words. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# A longer text is cut: the whole of it is in the CSV.
MAX_TEXT = 300
_NOTHING = "nothing"
# Names that do not read as words.
_NAMES = {"last4": "key ends in", "not_ok": "not in order", "ip": "address"}


class Change(NamedTuple):
    """One field. `before` or `after` is None where the event says nothing about that side."""

    field: str
    before: str | None
    after: str | None


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """The fields that differ; with one side only, every field of that side. In the order of their names."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    if before is None or after is None:
        return [
            Change(
                _words(path),
                None if before is None else _text(old[path]),
                None if after is None else _text(new[path]),
            )
            for path in sorted(old or new)
        ]
    return [
        Change(_words(path), _text(old.get(path)), _text(new.get(path)))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    ]


def _flat(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, (*path, str(name)))
        else:
            yield (*path, str(name)), value


def _words(path: tuple[str, ...]) -> str:
    """`("cost_alert", "limit")` as "Cost alert, limit"."""
    text = ", ".join(_NAMES.get(name, name.replace("_", " ")) for name in path)
    return text[:1].upper() + text[1:]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return _NOTHING
    if isinstance(value, list):
        # A list of objects reads as its members, one after the other.
        return _cut("; ".join(_member(item) for item in value))
    return _cut(str(value))


def _member(item: Any) -> str:
    if isinstance(item, Mapping):
        return ", ".join(f"{_words(path).lower()} {_text(value)}" for path, value in _flat(item)) or _NOTHING
    return _text(item)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
