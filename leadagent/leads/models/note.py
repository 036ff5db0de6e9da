"""What people of the organisation write down about a lead, for each other."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from uuid6 import uuid7

from leadagent.leads.models.lead import Lead
from leadagent.tenants.models import Membership, Organization, Role, User

NOTE_LIMIT = 5_000


class LeadNote(models.Model):
    """One note. The lead never sees it, and it has no author once that account is gone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="lead_notes")
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    text = models.TextField(max_length=NOTE_LIMIT)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    edited_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["lead", "-created_at", "-id"], name="note_newest_first")]

    def __str__(self) -> str:
        return self.text[:60]

    def may_change(self, membership: Membership) -> bool:
        """Members change what they wrote themselves, admins any note of their organisation."""
        if membership.organization_id != self.organization_id:
            return False
        is_author = self.author_id == membership.user_id and membership.may(Role.MEMBER)
        return is_author or membership.may(Role.ADMIN)
