"""What support staff see of usage: sums, free tiers and events that could not be stored."""

from django.contrib import admin

from leadagent.tenants.models import Organization
from leadagent.tenants.support import ReadOnlyAdmin
from usage.models import FreeTierMonth, UsageDaily, UsageInbox


@admin.register(UsageDaily)
class UsageDailyAdmin(ReadOnlyAdmin):
    list_display = ("day", "organization", "operation", "provider", "model", "key_owner", "requests", "total_tokens")
    list_filter = ("day", "provider", "key_owner", "operation")
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name", "model")


@admin.register(FreeTierMonth)
class FreeTierMonthAdmin(ReadOnlyAdmin):
    list_display = ("organization", "month", "used")
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")


@admin.register(UsageInbox)
class UsageInboxAdmin(ReadOnlyAdmin):
    list_display = ("seq", "kind", "event_id", "received_at", "failed_reason")
    list_filter = ("kind",)

    def organization_of(self, row: UsageInbox) -> Organization | None:
        return Organization.objects.filter(pk=row.payload.get("organization_id")).first()
