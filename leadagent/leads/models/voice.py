"""How an organisation's emails sound, and where answers to them go."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from leadagent.tenants.models import Organization, User


class Tone(models.TextChoices):
    PLAIN = "plain", "Plain and friendly"
    FORMAL = "formal", "Formal"
    WARM = "warm", "Warm and personal"
    BRIEF = "brief", "Brief and to the point"


class Language(models.TextChoices):
    """The language of every email; by default that of the lead."""

    OF_THE_LEAD = "", "The lead's own language"
    ENGLISH = "English", "English"
    GERMAN = "German", "German"
    FRENCH = "French", "French"
    SPANISH = "Spanish", "Spanish"
    ITALIAN = "Italian", "Italian"
    PORTUGUESE = "Portuguese", "Portuguese"
    DUTCH = "Dutch", "Dutch"
    POLISH = "Polish", "Polish"
    SWEDISH = "Swedish", "Swedish"
    DANISH = "Danish", "Danish"
    CZECH = "Czech", "Czech"
    TURKISH = "Turkish", "Turkish"
    JAPANESE = "Japanese", "Japanese"
    CHINESE = "Chinese", "Chinese"


class Voice(models.Model):
    """One per organisation, once an admin has saved it.

    `version` counts its changes: who saves must have seen the newest.
    """

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="voice")
    # Empty: the organisation's name.
    sender_name = models.CharField(max_length=80, blank=True)
    # Empty: the address of the person who approves.
    reply_to = models.EmailField(blank=True)
    signature = models.TextField(blank=True)
    language = models.CharField(max_length=20, choices=Language.choices, blank=True, default=Language.OF_THE_LEAD)
    tone = models.CharField(max_length=10, choices=Tone.choices, default=Tone.PLAIN)
    notes = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=0)
    updated_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"voice of {self.organization_id}"
