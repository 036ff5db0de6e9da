"""The models that providers offer."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from byok.models.choices import provider_choices
from byok.models.prices import PriceColumns
from leadagent.tenants.models import Organization


class ModelKind(models.TextChoices):
    CHAT = "chat", "Chat"
    EMBEDDING = "embedding", "Embedding"
    OTHER = "other", "Other"


class Tier(models.TextChoices):
    """By price and size; the rule stands in `byok.catalog.tiers`."""

    PREMIUM = "premium", "Premium"
    BALANCED = "balanced", "Balanced"
    CHEAP = "cheap", "Cheap"


class Capability(models.TextChoices):
    TOOLS = "tools", "Tools"
    STRUCTURED_OUTPUT = "structured_output", "Structured output"
    REASONING = "reasoning", "Reasoning"
    VISION = "vision", "Vision"


class CatalogModelQuerySet(models.QuerySet["CatalogModel"]):
    def visible_to(self, organization: Organization) -> CatalogModelQuerySet:
        """What everybody may see, and this organisation's own fine-tuned models."""
        return self.filter(Q(organization=None) | Q(organization=organization))

    def offered(self) -> CatalogModelQuerySet:
        """What can be called today: neither retired nor gone from its provider's list."""
        today = timezone.now().date()
        return self.filter(Q(retired_on=None) | Q(retired_on__gt=today), vanished_at=None)


class CatalogModel(PriceColumns):
    """One model at one provider (`route`), as pages offer it. Prices are today's list prices."""

    # Empty for everybody's models; set for a fine-tuned model of this organisation's own account.
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="own_models"
    )
    route = models.CharField("provider", max_length=20, choices=provider_choices)
    # As that provider's API takes it.
    model_id = models.CharField(max_length=200)
    # Who made it: openai, anthropic, google, meta-llama, …
    vendor = models.CharField(max_length=80)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=ModelKind.choices, default=ModelKind.CHAT)
    # Tokens; NULL where nobody tells.
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output = models.PositiveIntegerField(null=True, blank=True)
    # text, image, audio, video, file; embeddings as output of embedding models. Empty where nobody tells.
    input_modalities = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    output_modalities = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    capabilities = ArrayField(models.CharField(max_length=20, choices=Capability.choices), default=list, blank=True)
    tier = models.CharField(max_length=10, choices=Tier.choices, blank=True)
    is_fast = models.BooleanField(default=False)
    released_on = models.DateField(null=True, blank=True)
    # The day from which the provider answers no more; in the future while it is only announced.
    retired_on = models.DateField(null=True, blank=True)
    # The model_id, on the same route, that the provider names in its place.
    successor = models.CharField(max_length=200, blank=True)
    # Since when the provider's own list leaves it out.
    vanished_at = models.DateTimeField(null=True, blank=True)
    # Calls of all organisations in the last 30 days, once enough of them use it (`byok.catalog.popularity`).
    popularity = models.PositiveBigIntegerField(default=0)
    # Where the facts come from, and the day on which they were looked up.
    source = models.CharField(max_length=80)
    checked_on = models.DateField()
    # Where the prices come from, as stored with usage.
    price_source = models.CharField(max_length=60, blank=True)
    added_at = models.DateTimeField(default=timezone.now)

    objects = CatalogModelQuerySet.as_manager()

    class Meta:
        verbose_name = "catalog model"
        constraints = [
            models.UniqueConstraint(
                fields=["route", "model_id", "organization"], name="catalog_model_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_id} ({self.route})"

    @property
    def is_retired(self) -> bool:
        return self.retired_on is not None and self.retired_on <= timezone.now().date()

    @property
    def is_retiring(self) -> bool:
        """Still answering, with its last day announced."""
        return self.retired_on is not None and not self.is_retired
