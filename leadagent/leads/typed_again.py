"""A form that could not be saved because what it changes has moved on, shown again with all that was typed."""

from __future__ import annotations

from typing import Any

from django import forms

# Titles of the banner above what is stored now.
SAVED_MEANWHILE = "Saved by someone else meanwhile."
NOT_TOLD_WHICH = "The page did not say which text you had read."


def typed_again(form: forms.Form, **seen: int) -> dict[str, Any]:
    """Initial values for a form like the bound `form`: what was typed, valid or not, on top of what is stored now.

    `seen`: the hidden field that says which version that is, and its value.
    """
    return {name: form.data.get(name, "") for name in form.fields} | seen
