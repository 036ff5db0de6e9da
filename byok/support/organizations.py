"""The list of organisations: provider, whose key, and the key's state, as columns and as filters."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import F, OuterRef, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from byok.models import PLATFORM_DEFAULT, AIConfig, CredentialStatus, ProviderCredential, provider_choices
from byok.support.names import provider_name
from leadagent.tenants.support_page import Column, add_column, add_filter

_STATUS_LABELS = dict(CredentialStatus.choices)
# No key is stored for the provider that was chosen.
_NO_KEY = "no_key"


class ProviderFilter(SimpleListFilter):
    title = "provider in use"
    parameter_name = "ai_provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("own", "Any own key"), (PLATFORM_DEFAULT, "Platform default"), *provider_choices()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "own":
            return queryset.exclude(chosen_provider=PLATFORM_DEFAULT)
        return queryset.filter(chosen_provider=self.value()) if self.value() else queryset


class KeyStatusFilter(SimpleListFilter):
    title = "key status"
    parameter_name = "key_status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*CredentialStatus.choices, (_NO_KEY, "No key stored")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == _NO_KEY:
            return queryset.exclude(chosen_provider=PLATFORM_DEFAULT).filter(key_status=None)
        return queryset.filter(key_status=self.value()) if self.value() else queryset


def _chosen_provider() -> dict[str, Combinable]:
    chosen = AIConfig.objects.filter(organization=OuterRef("pk")).values("provider")
    return {"chosen_provider": Coalesce(Subquery(chosen), Value(PLATFORM_DEFAULT))}


def _key_status() -> dict[str, Combinable]:
    # The key of the provider in use; those of other providers stay on the organisation's page.
    of_chosen = ProviderCredential.objects.filter(
        organization=OuterRef("pk"), provider=F("organization__ai_config__provider")
    )
    return {"key_status": Subquery(of_chosen.values("status"))}


def _show_status(organization: Any) -> str:
    if organization.chosen_provider == PLATFORM_DEFAULT:
        return "–"
    return str(_STATUS_LABELS.get(organization.key_status, "No key stored"))


add_column(
    10,
    Column(
        "Provider",
        lambda organization: provider_name(organization.chosen_provider),
        _chosen_provider,
        order_by="chosen_provider",
    ),
)
add_column(
    20,
    Column(
        "Whose key",
        lambda organization: "platform's" if organization.chosen_provider == PLATFORM_DEFAULT else "own",
        dict,
        order_by="chosen_provider",
    ),
)
add_column(30, Column("Key status", _show_status, _key_status, order_by="key_status"))
add_filter(ProviderFilter)
add_filter(KeyStatusFilter)
