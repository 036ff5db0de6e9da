"""Forms that know which version of the configuration they were made from."""

from __future__ import annotations

from django import forms


class MadeFromVersion(forms.Form):
    """Mixin: `version` tells a save that came too late from one that knew what is stored."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def show_version(self, version: int) -> None:
        """Render the form again as made from another version than the one that was sent."""
        self.data = {**{name: self.data.get(name) for name in self.data}, "version": version}
