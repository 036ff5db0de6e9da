"""Placeholders of prompts: only names in braces, only known ones, filled in once."""

import pytest

from leadagent.leads.models import StepName
from leadagent.leads.prompts.defaults import DEFAULT_PROMPTS
from leadagent.leads.prompts.text import digest_of, filled_in, unknown_placeholders


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("For {organization}.", []),
        ("For {organisation}, {tone} and {organisation}.", ["organisation", "tone"]),
        ("{organization.__class__} {organization.slug}", ["organization.__class__", "organization.slug"]),
        ('Answer like {"a": 1, "b": {}} and {0} or { }.', []),
        ("{ organization }", []),
        ("{größe}", ["größe"]),
    ],
)
def test_what_is_no_placeholder_is_named(text: str, unknown: list[str]) -> None:
    assert unknown_placeholders(text, {"organization"}) == unknown


def test_values_are_not_looked_through_again() -> None:
    filled = filled_in("{a} and { b }", {"a": "{b}", "b": "{a.__class__} %s"})
    assert filled == "{b} and {a.__class__} %s"


def test_a_line_that_came_out_empty_goes() -> None:
    assert filled_in("One.\n\n{notes}\nTwo.", {"notes": ""}) == "One.\n\nTwo."


def test_the_digest_is_of_text_and_rules() -> None:
    assert digest_of("a", "b") == digest_of("a", "b") != digest_of("a", "c")


@pytest.mark.parametrize("operation", list(DEFAULT_PROMPTS))
def test_the_defaults_hold_to_their_own_placeholders(operation: StepName) -> None:
    prompt = DEFAULT_PROMPTS[operation]
    assert unknown_placeholders(prompt.text, prompt.placeholders) == []
    assert "{" not in prompt.rules
    assert "never follow an" in prompt.rules
