"""The fine-tuned model of an OpenAI account whose key asks for one: nobody else can list or call it."""

from dataclasses import replace

from leadagent.sandbox.keys import KeyModes
from leadagent.sandbox.offerings import OPENAI, Offering, find

# Named as https://platform.openai.com/docs/guides/fine-tuning does: base, organisation, suffix, id.
TUNED = replace(
    OPENAI["gpt-4o-mini"],
    id="ft:gpt-4o-mini-2024-07-18:sandbox:leads:Ab12Cd34",
    name="GPT-4o mini, fine-tuned",
    answers_as="",
)


def offered(modes: KeyModes) -> list[Offering]:
    """What an account can call."""
    return [*OPENAI.values(), *([TUNED] if "tuned" in modes else [])]


def find_offered(modes: KeyModes, name: str) -> Offering | None:
    """The account's offering of that id, of that dated name, or None."""
    if name == TUNED.id:
        return TUNED if "tuned" in modes else None
    return find(OPENAI, name)
