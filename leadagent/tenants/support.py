"""What support staff may see in Django admin, and the trace each look leaves."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from leadagent.tenants import audit
from leadagent.tenants.models import Organization

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin


class AuditedAdmin(_ModelAdmin):
    """A ModelAdmin of a tenant's rows: looking at one leaves the event `support.viewed` with that tenant."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Support staff sees every organisation's state; to change something takes more."""
        return request.user.is_active and request.user.is_staff

    def organization_of(self, row: Any) -> Organization | None:
        """The tenant a row belongs to."""
        organization: Organization | None = row.organization
        return organization

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().change_view(request, object_id, form_url, extra_context)
        row = self.get_object(request, object_id)
        # A look that was refused or found nothing is no look.
        if row is not None and response.status_code == 200:
            self.note_look(request, row)
        return response

    def note_look(self, request: HttpRequest, row: Model) -> None:
        audit.record(
            "support.viewed",
            organization=self.organization_of(row),
            target=f"{row._meta.verbose_name}: {row}",
            request=request,
        )


class ReadOnlyAdmin(AuditedAdmin):
    """Nothing here is made, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
