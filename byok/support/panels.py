"""One organisation's page: its AI configuration, its keys, how often they were opened."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from byok.config.ai_config import byok_allowed, get_ai_config
from byok.config.values import OPERATIONS
from byok.models import AIConfig, Announcement, KeyUseDay, ProviderCredential
from byok.support.keys import REPORT_HEADERS, age_in_words, expiry_cell, report_rows, status_cell, undo_in_words
from byok.support.names import provider_name
from leadagent.tenants.models import Organization
from leadagent.tenants.organization_admin import list_url
from leadagent.tenants.support_page import Cell, Panel, Table, add_panel, cell, facts, row


@add_panel(30)
def configuration(organization: Organization) -> Panel:
    """What the organisation's calls use right now, and who decided it."""
    # Version 0 is the backfill's row: nobody has saved anything.
    stored = AIConfig.objects.filter(organization=organization, version__gt=0).select_related("updated_by").first()
    now = get_ai_config(organization)
    operations = [
        row(
            operation,
            now.meant_model(operation),
            provider_name(now.provider_for(operation)),
            now.consent_for(operation).label,
        )
        for operation in OPERATIONS
    ]
    return Panel(
        "AI configuration",
        facts(
            provider_in_use=provider_name(now.provider),
            whose_key="own" if now.is_customer_key else "platform's",
            own_keys_allowed=byok_allowed(organization),
            stored=provider_name(stored.provider) if stored else "nobody has saved: platform default",
            chat_model=now.chat_model,
            embeddings=f"{provider_name(now.embedding_provider)} {now.embedding_model}".strip(),
            detail_in_usage_rows=now.usage_tracking,
            version=now.version,
            updated_by=stored.updated_by if stored else None,
            updated_at=stored.updated_at if stored else None,
        ),
        [Table("By operation", ["Operation", "Model", "Provider", "If the own key fails"], operations, "")],
    )


@add_panel(40)
def keys(organization: Organization) -> Panel:
    """Every stored key's state, a column each; the key itself is never opened."""
    stored = list(organization.credentials.select_related("created_by").order_by("provider"))
    columns = [_key_column(credential) for credential in stored]
    reports = [
        Table(f"Last report: {credential.get_provider_display()}", REPORT_HEADERS, lines, "")
        for credential in stored
        if (lines := report_rows(credential))
    ]
    headers = ["", *(str(credential.get_provider_display()) for credential in stored)]
    rows = [list(cells) for cells in zip(_KEY_LABELS, *columns, strict=True)] if stored else []
    url = list_url("byok_providercredential", organization)
    return Panel("Keys", tables=[Table("Stored keys", headers, rows, "No key is stored.", url, True), *reports])


_KEY_LABELS = row(
    "Key", "State", "Message", "Last check", "Next check", "Last used", "Expires", "Saved by", "Age",
    "Can be undone to", "Sealed by secret", "Ask",
)  # fmt: skip


def _key_column(credential: ProviderCredential) -> list[Cell]:
    """One cell per label of `_KEY_LABELS`."""
    return row(
        Cell(credential.masked, url=reverse("admin:byok_providercredential_change", args=[credential.pk])),
        status_cell(credential),
        credential.status_message,
        cell(credential.checked_at, empty="never"),
        credential.next_check_at,
        cell(credential.last_used_at, empty="never"),
        expiry_cell(credential.expires_at),
        credential.created_by,
        age_in_words(credential),
        undo_in_words(credential),
        credential.key_id,
        Cell(
            "Ask for a re-check",
            act=reverse("admin:byok_providercredential_recheck", args=[credential.pk]),
            act_on=f"of the {credential.get_provider_display()} key",
        ),
    )


@add_panel(45)
def key_use(organization: Organization) -> Panel:
    """How often keys were opened, newest day first, and what the organisation was told."""
    days = KeyUseDay.objects.filter(organization=organization).order_by("-day", "provider")
    month = days.filter(day__gte=timezone.now().date() - timedelta(days=30))
    total = month.aggregate(calls=Coalesce(Sum("calls"), 0))["calls"]
    rows = [
        row(
            use.day,
            provider_name(use.provider),
            f"{use.calls:,}",
            ", ".join(f"{operation} {calls:,}" for operation, calls in sorted(use.operations.items())),
        )
        for use in days[:10]
    ]
    told = [
        row(sent.name, sent.started_at, sent.recipients, sent.sent_at or Cell("not yet", tone="warn"))
        for sent in Announcement.objects.filter(organization=organization).order_by("-started_at")[:10]
    ]
    return Panel(
        "Use of keys, and announcements",
        facts(opened_in_30_days=f"{total:,}"),
        [
            Table(
                "Keys opened by day",
                ["Day (UTC)", "Provider", "Times", "By operation"],
                rows,
                "No day is written yet; a day's use is written the day after.",
                list_url("byok_keyuseday", organization),
            ),
            Table("Announcements", ["Name", "Started", "Recipients", "Sent"], told, "None was sent."),
        ],
    )
