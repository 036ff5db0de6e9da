"""The catalog as support staff sees it: what is offered, what the lists told, what changed. Read only."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from byok.models import CatalogChange, CatalogDigest, CatalogModel, CatalogSync, DatedPrice
from leadagent.tenants.support import ReadOnlyAdmin

if TYPE_CHECKING:
    _ChangeInline = admin.TabularInline[CatalogChange, CatalogSync]
else:
    _ChangeInline = admin.TabularInline


@admin.register(CatalogModel)
class CatalogModelAdmin(ReadOnlyAdmin):
    list_display = ("model_id", "route", "kind", "tier", "input_price", "output_price", "retired_on", "vanished_at")
    list_filter = ("route", "kind", "tier", ("retired_on", admin.EmptyFieldListFilter), "source")
    search_fields = ("model_id", "name", "vendor")
    ordering = ("route", "model_id")


class ChangeInline(_ChangeInline):
    model = CatalogChange
    fields = ("kind", "route", "model_id", "before", "after")
    template = "admin/read_only_inline.html"
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(CatalogSync)
class CatalogSyncAdmin(ReadOnlyAdmin):
    list_display = (
        "source",
        "organization",
        "started_at",
        "outcome",
        "listed",
        "added",
        "removed",
        "repriced",
        "error",
    )
    list_filter = ("source", "outcome")
    list_select_related = ("organization",)
    ordering = ("-started_at",)
    inlines = (ChangeInline,)


@admin.register(CatalogChange)
class CatalogChangeAdmin(ReadOnlyAdmin):
    list_display = ("model_id", "route", "kind", "at", "told_at")
    list_filter = ("kind", "route")
    search_fields = ("model_id",)
    ordering = ("-at", "-pk")


@admin.register(CatalogDigest)
class CatalogDigestAdmin(ReadOnlyAdmin):
    list_display = ("organization", "created_at", "sent_at")
    list_select_related = ("organization",)
    ordering = ("-created_at",)
    exclude = ("told",)


@admin.register(DatedPrice)
class DatedPriceAdmin(ReadOnlyAdmin):
    list_display = ("model_id", "route", "organization", "input_price", "output_price", "effective_from", "source")
    list_filter = ("route", ("organization", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("model_id", "organization__slug")
    ordering = ("-effective_from",)
