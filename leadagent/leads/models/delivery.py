"""What mail servers said about an email: refusals while it was handed over, and notices that came later."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from leadagent.leads.models.draft import EmailDraft


class DeliveryKind(models.TextChoices):
    REFUSED = "refused", "Not taken"
    DELAYED = "delayed", "Delayed"
    RETURNED = "returned", "Returned"


class DeliveryReport(models.Model):
    """One answer of a mail server. Its text is from outside."""

    draft = models.ForeignKey(EmailDraft, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=10, choices=DeliveryKind.choices)
    # The SMTP reply code (550) and the enhanced status (5.1.1), as far as they were told.
    code = models.PositiveSmallIntegerField(null=True, blank=True)
    status = models.CharField(max_length=12, blank=True)
    text = models.CharField(max_length=500, blank=True)
    is_permanent = models.BooleanField(default=False)
    recipient = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.code or ''} {self.status}"

    @property
    def words(self) -> str:
        """What the server said: "550 5.1.1 no such user"."""
        status = "" if self.text.startswith(self.status) or str(self.code) in self.text[:4] else self.status
        code = "" if self.code is None or self.text.startswith(str(self.code)) else str(self.code)
        return " ".join(filter(None, [code, status, self.text])) or self.status
