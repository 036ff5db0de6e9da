"""A key in a field that is not for keys is told, and not shown again."""

from __future__ import annotations

from typing import Any

from django import forms

from leadagent.logs import is_key_shaped, scrub

A_KEY = "This looks like a key. A key belongs in the key field only."


def refusal_of_name(text: str) -> str:
    """What is wrong with a text of one line that is no key; empty where nothing is."""
    if not text.isprintable():
        return "Use one line of plain text."
    return A_KEY if is_key_shaped(text) else ""


class RefusesMisplacedKeys(forms.Form):
    """Mixin: every field but `api_key` refuses what has the shape of a key, and is rendered without it then.

    A long text (a field with a `Textarea`) keeps the rest of what was written; any other is rendered empty.
    """

    def __init__(self, data: Any = None, **more: Any) -> None:
        # Taken out before anybody cleans or renders it: messages of fields quote what was sent.
        self._misplaced = [name for name in data or () if name != "api_key" and is_key_shaped(data.get(name))]
        if self._misplaced:
            data = data.copy()
            for name in self._misplaced:
                data[name] = scrub(data[name]) if self._is_long(name) else ""
        super().__init__(data, **more)

    @classmethod
    def _is_long(cls, name: str) -> bool:
        return name in cls.base_fields and isinstance(cls.base_fields[name].widget, forms.Textarea)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self._misplaced:
            if name in self.fields:
                self.errors.pop(name, None)
                self.add_error(name, A_KEY)
        for name, value in list(cleaned.items()):
            if name == "api_key" or not isinstance(value, str) or self._is_long(name):
                continue
            if wrong := refusal_of_name(value):
                self.add_error(name, wrong)
        return cleaned
