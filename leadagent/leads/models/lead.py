"""A person or company that wrote in."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.urls import reverse
from django.utils import timezone
from uuid6 import uuid7

from leadagent.tenants.models import Organization, User


class LeadStatus(models.TextChoices):
    """Where a lead stands; follows from its newest run (see `workflow`)."""

    NEW = "new", "New"
    WORKING = "working", "In progress"
    REVIEW = "review", "Waiting for approval"
    ATTENTION = "attention", "Needs attention"
    ANSWERED = "answered", "Answered"
    CLOSED = "closed", "Closed"


class LeadSource(models.TextChoices):
    FORM = "form", "Public form"
    API = "api", "API"
    PAGE = "page", "Added by hand"
    IMPORT = "import", "Imported"


class Category(models.TextChoices):
    QUALIFIED = "QUALIFIED", "Qualified"
    UNQUALIFIED = "UNQUALIFIED", "Unqualified"
    SUPPORT = "SUPPORT", "Support"
    FOLLOW_UP = "FOLLOW_UP", "Follow up"


# PostgreSQL's parser takes addresses, hosts, paths, numbers and tags for one word each; people look for their parts.
_SEPARATORS = "@._-+/:;,#&=?~<>"


def without_accents(text: str | models.expressions.Combinable) -> models.Func:
    """The text with plain letters, by a function of the database (migration 0017); a `str` names a column."""
    return models.Func(text, function="leads_without_accents", output_field=models.TextField())


def _words_of(column: str) -> models.Func:
    """The column's text with blanks for everything that separates words."""
    blanks = " " * len(_SEPARATORS)
    return models.Func(
        without_accents(column),
        models.Value(_SEPARATORS),
        models.Value(blanks),
        function="translate",
        output_field=models.TextField(),
    )


class LeadQuerySet(models.QuerySet["Lead"]):
    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")


class Lead(models.Model):
    """One message of one sender to one organisation. Its text is data, never an instruction."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="leads")
    name = models.CharField(max_length=120)
    email = models.EmailField()
    company = models.CharField(max_length=160, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    message = models.TextField(max_length=8000)
    source = models.CharField(max_length=10, choices=LeadSource.choices)
    status = models.CharField(max_length=10, choices=LeadStatus.choices, default=LeadStatus.NEW)
    # The verdict of the newest run that has one (see `run_state.set_verdict`); empty before the first.
    category = models.CharField(max_length=12, choices=Category.choices, blank=True, editable=False)
    # Who looks after it: somebody who may work on this organisation's leads (see `assignment`).
    assigned_to = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    # Given by API clients so that a repeated POST finds the first lead. NULL where none was given.
    idempotency_key = models.CharField(max_length=200, null=True, editable=False)  # noqa: DJ001
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # When somebody or a run last did something about it that people would want to see.
    last_activity_at = models.DateTimeField(default=timezone.now, editable=False)
    # Its words without their accents, for `lead_filter.prefix_query`; the database keeps it.
    search = models.GeneratedField(
        expression=SearchVector(
            *(_words_of(column) for column in ("name", "email", "company", "message")), config="simple"
        ),
        output_field=SearchVectorField(),
        db_persist=True,
        editable=False,
    )

    objects = LeadQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "idempotency_key"], name="one_lead_per_idempotency_key"),
        ]
        indexes = [
            # Each order and filter of the list has its own: see docs/leads.md.
            models.Index(fields=["organization", "-created_at", "-id"], name="lead_newest_first"),
            models.Index(fields=["organization", "-last_activity_at", "-id"], name="lead_by_activity"),
            models.Index(fields=["organization", "status", "-created_at", "-id"], name="lead_by_status"),
            models.Index(fields=["organization", "category", "-created_at", "-id"], name="lead_by_category"),
            models.Index(fields=["organization", "assigned_to", "-created_at", "-id"], name="lead_by_assignee"),
            models.Index(fields=["organization", "source", "-created_at", "-id"], name="lead_by_source"),
            # Written at once: words that wait in a list are searched one by one, and the planner fears that.
            GinIndex(fields=["search"], name="lead_search", fastupdate=False),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.company})" if self.company else self.name

    def get_absolute_url(self) -> str:
        return reverse("leads:detail", args=[self.organization.slug, self.pk])

    @property
    def email_domain(self) -> str:
        """The part after the @, lower case."""
        return self.email.rpartition("@")[2].lower()
