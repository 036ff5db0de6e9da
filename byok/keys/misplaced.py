"""A key in a field that is not for keys is told, and not shown again."""

from __future__ import annotations

from typing import Any

from django import forms

from byok.config.values import InvalidConfig, is_key_shaped, refuse_key
from leadagent.logs import scrub


class RefusesMisplacedKeys(forms.Form):
    """Mixin: every field but `api_key` refuses what has the shape of a key, and is rendered without it then.

    A long text (a field with a `Textarea`) keeps the rest of what was written; any other is rendered empty.
    """

    def __init__(self, data: Any = None, **more: Any) -> None:
        sent = {name: data.get(name) for name in data or ()}
        # Taken out before anybody cleans or renders it: messages of fields quote what was sent.
        self._misplaced = [name for name, value in sent.items() if name != "api_key" and is_key_shaped(value)]
        emptied = {name: scrub(sent[name]) if self._is_long(name) else "" for name in self._misplaced}
        super().__init__({**sent, **emptied} if self._misplaced else data, **more)

    @classmethod
    def _is_long(cls, name: str) -> bool:
        return name in cls.base_fields and isinstance(cls.base_fields[name].widget, forms.Textarea)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self._misplaced:
            if name in self.fields:
                self.errors.pop(name, None)
                self.add_error(name, "This looks like a key. A key belongs in the key field only.")
        for name, value in list(cleaned.items()):
            if name == "api_key" or not isinstance(value, str) or self._is_long(name):
                continue
            try:
                refuse_key(name, value)
            except InvalidConfig as error:
                self.add_error(name, str(error))
        return cleaned
