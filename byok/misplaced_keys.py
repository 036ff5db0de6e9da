"""A key in a field that is not for keys is told, and not shown again."""

from __future__ import annotations

from typing import Any

from django import forms

from byok.config_values import InvalidConfig, refuse_key


class RefusesMisplacedKeys(forms.Form):
    """Mixin: every text field but `api_key` refuses what has the shape of a key, and is rendered empty then."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, value in list(cleaned.items()):
            if name == "api_key" or not isinstance(value, str):
                continue
            try:
                refuse_key(name, value)
            except InvalidConfig as error:
                self.add_error(name, str(error))
                self.data = {**{sent: self.data.get(sent) for sent in self.data}, self.add_prefix(name): ""}
        return cleaned
