"""An organisation's voice: who its emails come from, how they sound, how they end."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.models import Tone, Voice
from leadagent.leads.text import clean, one_line
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

SIGNATURE_LIMIT = 600
NOTES_LIMIT = 2_000
FIELDS = ("sender_name", "reply_to", "signature", "language", "tone", "notes")

_TONES = {
    Tone.PLAIN: "Write plainly and kindly, as one person to another.",
    Tone.FORMAL: "Write formally and politely, with the formal form of address where the language has one.",
    Tone.WARM: "Write warmly and personally, without flattery.",
    Tone.BRIEF: "Write briefly: short sentences, nothing beside the matter.",
}


class VoiceConflict(Exception):
    """Somebody saved another voice first. `current` is what is stored now."""

    def __init__(self, current: Voice) -> None:
        super().__init__("The voice was changed in the meantime.")
        self.current = current


def voice_of(organization: Organization) -> Voice:
    """The organisation's voice; an unsaved one of version 0 where nobody has saved one."""
    stored = Voice.objects.select_related("updated_by").filter(organization=organization).first()
    voice = stored or Voice(organization=organization)
    voice.organization = organization
    return voice


def save_voice(
    organization: Organization,
    values: dict[str, Any],
    *,
    by: User,
    version: int,
    request: HttpRequest | None = None,
) -> Voice:
    """Save `values` (by the names in `FIELDS`) on top of `version`. Raises `VoiceConflict`; then nothing is saved."""
    with transaction.atomic():
        Voice.objects.get_or_create(organization=organization)
        voice = (
            Voice.objects.select_for_update(of=("self",)).select_related("updated_by").get(organization=organization)
        )
        voice.organization = organization
        if voice.version != version:
            raise VoiceConflict(voice)
        before = {name: getattr(voice, name) for name in FIELDS}
        after = {name: _stored(name, values[name]) for name in FIELDS}
        if before == after and version:
            return voice
        for name, value in after.items():
            setattr(voice, name, value)
        voice.version += 1
        voice.updated_by, voice.updated_at = by, timezone.now()
        voice.save()
        changed = [name for name in FIELDS if before[name] != after[name]]
        audit.record(
            "voice.saved",
            organization=organization,
            actor=by,
            target="voice of emails",
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
            request=request,
        )
    return voice


def sender_name(voice: Voice) -> str:
    """Who the emails come from, on one line."""
    return one_line(voice.sender_name or voice.organization.name, limit=80)


def voice_values(voice: Voice) -> dict[str, str]:
    """What the voice puts in the place of the email prompt's placeholders."""
    name = sender_name(voice)
    return {
        "sender": name,
        "language": voice.language or "the lead's language",
        "tone": _TONES[Tone(voice.tone)],
        "notes": f"Mind what {name} asks of its emails:\n{voice.notes}" if voice.notes else "",
        "signing": (
            "End with a short closing line and without a name or signature: the signature is added below."
            if voice.signature
            else f"Sign as {name}."
        ),
    }


def with_signature(body: str, voice: Voice) -> str:
    """`body` with the voice's signature below it, once."""
    signature = voice.signature.strip()
    if not signature or body.rstrip().endswith(signature):
        return body
    return f"{body.rstrip()}\n\n{signature}"


def _stored(name: str, value: str) -> str:
    return clean(value) if name in ("signature", "notes") else one_line(value, limit=254)
