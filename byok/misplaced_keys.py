"""A key in a field that is not for keys is told, and not shown again."""

from __future__ import annotations

from typing import Any

from django import forms

from byok.config_values import InvalidConfig, is_key_shaped, refuse_key


class RefusesMisplacedKeys(forms.Form):
    """Mixin: every field but `api_key` refuses what has the shape of a key, and is rendered empty then."""

    def __init__(self, data: Any = None, **more: Any) -> None:
        sent = {name: data.get(name) for name in data or ()}
        # Taken out before anybody cleans or renders it: messages of fields quote what was sent.
        self._misplaced = [name for name, value in sent.items() if name != "api_key" and is_key_shaped(value)]
        super().__init__({**sent, **dict.fromkeys(self._misplaced, "")} if self._misplaced else data, **more)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self._misplaced:
            if name in self.fields:
                self.errors.pop(name, None)
                self.add_error(name, "This looks like a key. A key belongs in the key field only.")
        for name, value in list(cleaned.items()):
            if name == "api_key" or not isinstance(value, str):
                continue
            try:
                refuse_key(name, value)
            except InvalidConfig as error:
                self.add_error(name, str(error))
        return cleaned
