"""What the guides call a button, a field or a sentence of the product's is one."""

import re

import pytest

from byok.error_kinds import KINDS
from byok.errors import AIError
from tests.project.files import ROOT
from tests.project.interface import is_shown

GUIDES = ("customer-guide", "keys", "troubleshooting")
TROUBLES = (ROOT / "docs/troubleshooting.md").read_text()
# Bold for what it says, not for a name on the screen.
STRESSED = {
    "customer-guide": {"From a CSV file.", "Follow one.", "Approve the email."},
    "troubleshooting": set(),
    "keys": {
        "Account.", "Credits.", "Data.", "Connect", "Your name there", "Nobody can read it here again", "A key of its own",
        "A limit at the provider", "The least it needs", "Nobody's personal account", "Paste it here only",
        "A new one every 90 days", "Few admins", "Revoke it at the provider",
    },
}  # fmt: skip


def bold(page: str) -> list[str]:
    text = (ROOT / f"docs/{page}.md").read_text()
    return [" ".join(found.split()) for found in re.findall(r"\*\*(.+?)\*\*", text, flags=re.DOTALL)]


@pytest.mark.parametrize("guide", GUIDES)
def test_what_is_in_bold_is_on_the_screen(guide: str) -> None:
    names = [name for name in bold(guide) if name not in STRESSED[guide]]
    assert len(names) > 5
    assert [name for name in names if not is_shown(name)] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_what_is_only_stressed_stands_there(guide: str) -> None:
    assert STRESSED[guide] <= set(bold(guide))


def test_every_sentence_of_troubleshooting_is_the_products() -> None:
    sentences = re.findall(r"^> (.+)$", TROUBLES, flags=re.MULTILINE)
    assert len(sentences) > 30
    assert [sentence for sentence in sentences if not is_shown(sentence)] == []


def test_every_error_has_its_place_in_troubleshooting() -> None:
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^### .+$", TROUBLES, flags=re.MULTILINE))))
    assert named == set(KINDS)


def test_the_sentence_below_an_error_is_its_own() -> None:
    """With the provider's name filled in as the product does it."""
    wrong = []
    for heading, text in re.findall(r"^### (.+)\n\n((?:> .+\n+)+)", TROUBLES, flags=re.MULTILINE):
        codes = re.findall(r"`(\w+)`", heading)
        shown = re.findall(r"^> (.+)$", text, flags=re.MULTILINE)
        own = [AIError(code, provider="openrouter").sentence for code in codes]
        wrong += [code for code, sentence in zip(codes, own, strict=True) if sentence not in shown]
    assert wrong == []


def test_a_name_that_nothing_has_is_found() -> None:
    assert is_shown("Test and continue")
    assert is_shown("Paste your OpenRouter key")
    assert not is_shown("Test and carry on")
    assert not is_shown("Save it")
    assert not is_shown("OpenRouter does not serve the country. Choose another provider.")
