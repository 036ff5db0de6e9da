"""The prompts of an organisation: the text in force, its versions, and which of them a step was done with."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.emails.voice import voice_of, voice_values
from leadagent.leads.models import PromptChoice, PromptVersion, StepName, StepStatus, WorkflowRun
from leadagent.leads.prompts.defaults import DEFAULT_PROMPTS
from leadagent.leads.prompts.text import digest_of, filled_in, unknown_placeholders
from leadagent.leads.text import clean, one_line
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

TEXT_LIMIT = 8_000


class PromptConflict(Exception):
    """Somebody changed the prompt first. `current` is what is in force now."""

    def __init__(self, current: Prompt) -> None:
        super().__init__("The prompt was changed in the meantime.")
        self.current = current


class InvalidPrompt(Exception):
    """A text that cannot be a prompt; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text of an operation that is in force. `number` counts its own versions or, without one, the defaults.

    `revision` counts how often this was changed.
    """

    operation: StepName
    text: str
    rules: str
    number: int
    is_own: bool
    revision: int
    changed_by: User | None = None

    @property
    def label(self) -> str:
        """ "default v1" or "own v3"."""
        return f"{'own' if self.is_own else 'default'} v{self.number}"

    @property
    def digest(self) -> str:
        """SHA-256 of text and rules, in hex."""
        return digest_of(self.text, self.rules)


def instructions_for(
    organization: Organization, operation: str, *, run: WorkflowRun | None = None, purpose: str = ""
) -> str:
    """The instructions of an AI call: the text in force, filled in, and the rules that always follow it.

    `run`: the step of that name, which must be at work, remembers which version it was. `purpose`:
    what an email is for. Makes no call; three queries.
    """
    prompt = prompt_in_force(organization, StepName(operation))
    if run is not None:
        run.steps.filter(name=prompt.operation, status=StepStatus.RUNNING).update(
            prompt_version=prompt.label, prompt_digest=prompt.digest
        )
    return written_out(organization, prompt.operation, prompt.text, purpose=purpose)


def written_out(organization: Organization, operation: StepName, text: str, *, purpose: str = "") -> str:
    """`text` as the instructions of `operation` that a model gets."""
    values = {"organization": one_line(organization.name, limit=80), "purpose": purpose}
    if operation == StepName.EMAIL_GENERATION:
        values |= voice_values(voice_of(organization))
    return f"{filled_in(text, values).strip()}\n{DEFAULT_PROMPTS[operation].rules}"


def prompt_in_force(organization: Organization, operation: StepName) -> Prompt:
    """What the next step of this name is done with (one query)."""
    choices = PromptChoice.objects.select_related("version", "changed_by")
    return _prompt(operation, choices.filter(organization=organization, operation=operation).first())


def save_prompt(
    organization: Organization,
    operation: StepName,
    text: str,
    *,
    note: str = "",
    by: User,
    seen: int,
    request: HttpRequest | None = None,
) -> PromptVersion | None:
    """Keep `text` as a new version and put it in force; None where it is in force already.

    `seen`: the revision that the person had on the screen. Raises `InvalidPrompt`, `PromptConflict`.
    """
    text = checked_text(operation, text)
    with transaction.atomic():
        choice, current = _locked(organization, operation, seen)
        if text == current.text:
            return None
        versions = PromptVersion.objects.filter(organization=organization, operation=operation)
        newest = versions.aggregate(newest=Max("number"))["newest"] or 0
        made = PromptVersion.objects.create(
            organization=organization,
            operation=operation,
            number=newest + 1,
            text=text,
            note=one_line(note, limit=200),
            created_by=by,
        )
        _choose(choice, made, by)
        _record("prompt.saved", current, choice, by=by, request=request)
    return made


def choose_prompt(
    organization: Organization,
    operation: StepName,
    number: int | None,
    *,
    by: User,
    seen: int,
    request: HttpRequest | None = None,
) -> Prompt:
    """Put an earlier own version in force again or, with None, the default.

    Raises `PromptVersion.DoesNotExist`, `PromptConflict`.
    """
    with transaction.atomic():
        choice, current = _locked(organization, operation, seen)
        version = None
        if number is not None:
            version = PromptVersion.objects.get(organization=organization, operation=operation, number=number)
        if version != choice.version:
            _choose(choice, version, by)
            _record("prompt.chosen", current, choice, by=by, request=request)
        return _prompt(operation, choice)


def checked_text(operation: StepName, text: str) -> str:
    """`text` as it is kept. Raises `InvalidPrompt` where it is empty, too long or names a placeholder that is none."""
    text = clean(text)
    known = DEFAULT_PROMPTS[operation].placeholders
    if not text:
        raise InvalidPrompt("There is no readable text in this.")
    if len(text) > TEXT_LIMIT:
        raise InvalidPrompt(f"Use at most {TEXT_LIMIT:,} characters.")
    if unknown := unknown_placeholders(text, known):
        named = ", ".join(f"{{{name}}}" for name in unknown)
        offered = ", ".join(f"{{{name}}}" for name in known)
        raise InvalidPrompt(f"{named} is no placeholder of this prompt. There are: {offered}.")
    return text


def _prompt(operation: StepName, choice: PromptChoice | None) -> Prompt:
    default = DEFAULT_PROMPTS[operation]
    own = choice.version if choice is not None else None
    return Prompt(
        operation=operation,
        text=own.text if own else default.text,
        rules=default.rules,
        number=own.number if own else default.number,
        is_own=own is not None,
        revision=choice.revision if choice else 0,
        changed_by=choice.changed_by if choice else None,
    )


def _locked(organization: Organization, operation: StepName, seen: int) -> tuple[PromptChoice, Prompt]:
    PromptChoice.objects.get_or_create(organization=organization, operation=operation)
    choice = (
        PromptChoice.objects.select_for_update(of=("self",), no_key=True)
        .select_related("version", "changed_by")
        .get(organization=organization, operation=operation)
    )
    current = _prompt(operation, choice)
    if choice.revision != seen:
        raise PromptConflict(current)
    return choice, current


def _choose(choice: PromptChoice, version: PromptVersion | None, by: User) -> None:
    choice.version = version
    choice.revision += 1
    choice.changed_by, choice.changed_at = by, timezone.now()
    choice.save(update_fields=["version", "revision", "changed_by", "changed_at"])


def _record(action: str, before: Prompt, choice: PromptChoice, *, by: User, request: HttpRequest | None) -> None:
    after = _prompt(before.operation, choice)
    audit.record(
        action,
        organization=choice.organization,
        actor=by,
        target=f"prompt {before.operation}",
        before={"version": before.label, "digest": before.digest},
        after={"version": after.label, "digest": after.digest},
        request=request,
    )
