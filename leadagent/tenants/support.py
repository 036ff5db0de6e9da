"""What support staff may see in Django admin, what they may ask of it, and the trace each look leaves."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from leadagent.tenants import audit
from leadagent.tenants.models import AuditEvent, Organization

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin

VIEWED = "support.viewed"

# Turning pages and setting filters of one list is one look.
LIST_LOOK = timedelta(minutes=10)

# What may follow a filter's field in an address. Nothing here tells a value by its beginning.
_COMPARISONS = frozenset(
    {"exact", "in", "isnull", "isempty", "gte", "gt", "lt", "lte", "year", "month", "day", "id__exact", "pk__exact"}
)


class AuditedAdmin(_ModelAdmin):
    """A ModelAdmin of a tenant's rows: looking at one leaves the event `support.viewed` with that tenant.

    A list leaves it too where it was narrowed (search, filter) to the rows of one organisation.
    Lists can be narrowed by their own filters and by nothing else: Django's default answers
    `?any_column__startswith=…`, which would spell out columns that no page shows.
    """

    # The path from a row to its organisation; None where rows have none.
    organization_path: str | None = "organization"
    view_on_site = False
    list_per_page = 50

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Support staff sees every organisation's state; to change something takes more."""
        return request.user.is_active and request.user.is_staff

    def organization_of(self, row: Any) -> Organization | None:
        """The tenant a row belongs to; None where rows have none, or it is gone."""
        if self.organization_path is None:
            return None
        try:
            for name in self.organization_path.split("__"):
                row = getattr(row, name)
        except ObjectDoesNotExist:
            return None
        organization: Organization | None = row
        return organization

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """True for what this list's own filters, date hierarchy and links between pages put into an address."""
        for field in self._narrowing_fields(request):
            before, path, comparison = lookup.partition(f"{field}__")
            if lookup == field or (path and not before and comparison in _COMPARISONS):
                return True
        return False

    def _narrowing_fields(self, request: HttpRequest | None) -> Iterator[str]:
        if self.organization_path:
            yield self.organization_path
        if self.date_hierarchy:
            yield self.date_hierarchy
        for chosen in self.get_list_filter(request) if request is not None else self.list_filter:
            if isinstance(chosen, str):
                yield chosen
            elif isinstance(chosen, tuple | list):
                yield str(chosen[0])
            elif isinstance(chosen, type) and issubclass(chosen, SimpleListFilter):
                yield str(chosen.parameter_name)

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Rows are named by their primary key only."""
        primary_key = self.opts.pk
        return primary_key is not None and to_field in {"pk", primary_key.name}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().change_view(request, object_id, form_url, extra_context)
        return self._noting_row(request, object_id, response)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().history_view(request, object_id, extra_context)
        return self._noting_row(request, object_id, response)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, str] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None)
        if response.status_code == 200 and shown and "cl" in shown:
            self._note_list(request, shown["cl"])
        return response

    def _noting_row(self, request: HttpRequest, object_id: str, response: HttpResponse) -> HttpResponse:
        row = self.get_object(request, object_id)
        # A look that was refused or found nothing is no look.
        if row is not None and response.status_code == 200:
            self.note_look(request, row)
        return response

    def note_look(self, request: HttpRequest, row: Model) -> None:
        """Every look at a row is kept."""
        audit.record(
            VIEWED,
            organization=self.organization_of(row),
            target=f"{row._meta.verbose_name}: {row}",
            request=request,
        )

    def _note_list(self, request: HttpRequest, listed: ChangeList) -> None:
        """A list that shows one organisation's rows only, because it was asked to, is a look at that organisation."""
        if self.organization_path is None or not (listed.query or listed.get_filters_params()):
            return
        owners = listed.queryset.order_by().values_list(self.organization_path, flat=True).distinct()[:2]
        if len(found := list(owners)) != 1:
            return
        organization = Organization.objects.filter(pk=found[0]).first()
        target = f"list: {self.opts.verbose_name_plural}"
        seen = AuditEvent.objects.filter(
            organization=organization,
            actor_id=request.user.pk,
            action=VIEWED,
            target=target,
            created_at__gte=timezone.now() - LIST_LOOK,
        )
        if organization is not None and not seen.exists():
            audit.record(VIEWED, organization=organization, target=target, request=request)


class ReadOnlyAdmin(AuditedAdmin):
    """Nothing here is made, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
