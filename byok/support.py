"""What byok adds to support's view of an organisation: its configuration, its keys' states, its key use."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from byok.checking.reports import ConnectionReport, LineState
from byok.config.ai_config import OPERATIONS, byok_allowed, get_ai_config
from byok.models import (
    PLATFORM_DEFAULT,
    AIConfig,
    Announcement,
    CredentialStatus,
    KeyUseDay,
    ProviderCredential,
    SupersededKey,
    provider_choices,
)
from leadagent.tenants.models import Organization
from leadagent.tenants.organization_admin import list_url
from leadagent.tenants.support_page import (
    Cell,
    Column,
    Fact,
    Panel,
    Table,
    add_column,
    add_filter,
    add_panel,
    cell,
    facts,
    row,
)

_STATUS_LABELS = dict(CredentialStatus.choices)
_STATUS_TONES = {
    CredentialStatus.OK: "good",
    CredentialStatus.UNTESTED: "warn",
    CredentialStatus.UNREACHABLE: "warn",
}
_LINE_TONES = {LineState.OK: "good", LineState.WARNING: "warn", LineState.FAILED: "bad", LineState.UNKNOWN: "warn"}

# No key is stored for the provider that was chosen.
NO_KEY = "no_key"


def _label(provider: str) -> str:
    """A provider's name; its id where it was taken out since."""
    labels = {PLATFORM_DEFAULT: "Platform default", "": "none", **dict(provider_choices())}
    return labels.get(provider, provider)


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
        return [*CredentialStatus.choices, (NO_KEY, "No key stored")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == NO_KEY:
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
        lambda organization: _label(organization.chosen_provider),
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


@add_panel(30)
def configuration(organization: Organization) -> Panel:
    """What the organisation's calls use right now, and who decided it."""
    # Version 0 is the backfill's row: nobody has saved anything.
    stored = AIConfig.objects.filter(organization=organization, version__gt=0).select_related("updated_by").first()
    now = get_ai_config(organization)
    operations = [
        row(
            operation,
            now.embedding_model if operation == "embedding" else now.chat_model_for(operation),
            _label(now.embedding_provider) if operation == "embedding" else _label(now.provider),
            now.consent_for(operation).label,
        )
        for operation in OPERATIONS
    ]
    return Panel(
        "AI configuration",
        facts(
            provider_in_use=_label(now.provider),
            whose_key="own" if now.is_customer_key else "platform's",
            own_keys_allowed=byok_allowed(organization),
            stored=_label(stored.provider) if stored else "nobody has saved: platform default",
            chat_model=now.chat_model,
            embeddings=f"{_label(now.embedding_provider)} {now.embedding_model}".strip(),
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
        age_in_words(credential.saved_at),
        _undo_in_words(credential),
        credential.key_id,
        Cell(
            "Ask for a re-check",
            act=reverse("admin:byok_providercredential_recheck", args=[credential.pk]),
            act_on=f"of the {credential.get_provider_display()} key",
        ),
    )


def _undo_in_words(credential: ProviderCredential) -> str:
    """The replaced key that can still be brought back, and until when; empty where there is none."""
    kept = SupersededKey.objects.filter(credential=credential, undo_until__gt=timezone.now()).first()
    return f"{kept.masked} until {kept.undo_until:%Y-%m-%d %H:%M}" if kept else ""


REPORT_HEADERS = ("Question", "Answer", "What was found", "Next step")


def report_rows(credential: ProviderCredential) -> list[list[Cell]]:
    """The stored capability report, line by line; empty before the first test."""
    if credential.report is None:
        return []
    report = ConnectionReport.from_json(credential.report)
    return [
        row(
            f"{line.label} ({line.model})" if line.model else line.label,
            Cell(line.state.value, tone=_LINE_TONES[line.state]),
            line.text,
            line.next_step,
        )
        for line in report.lines
    ]


def credential_facts(credential: ProviderCredential) -> list[Fact]:
    """What follows from a key's row but is no column of it."""
    return facts(
        state=status_cell(credential),
        key_age=age_in_words(credential.saved_at),
        expires=expiry_cell(credential.expires_at),
        can_be_undone_to=_undo_in_words(credential),
        sealed_by=credential.key_id,
    )


def status_cell(credential: ProviderCredential) -> Cell:
    status = CredentialStatus(credential.status)
    return Cell(str(status.label), tone=_STATUS_TONES.get(status, "bad"))


def expiry_cell(expires_at: datetime | None) -> Cell:
    """The day a key ends; soon is a warning, past is bad, and where the provider tells none it is unknown."""
    if expires_at is None:
        return Cell("unknown")
    left = expires_at - timezone.now()
    return Cell(
        f"{expires_at:%Y-%m-%d %H:%M}",
        tone="bad" if left <= timedelta() else "warn" if left < timedelta(days=14) else "",
    )


def age_in_words(saved_at: datetime) -> str:
    days = (timezone.now() - saved_at).days
    return "today" if days < 1 else "1 day" if days == 1 else f"{days} days"


@add_panel(45)
def key_use(organization: Organization) -> Panel:
    """How often keys were opened, newest day first, and what the organisation was told."""
    days = KeyUseDay.objects.filter(organization=organization).order_by("-day", "provider")
    month = days.filter(day__gte=timezone.now().date() - timedelta(days=30))
    total = month.aggregate(calls=Coalesce(Sum("calls"), 0))["calls"]
    rows = [
        row(
            use.day,
            _label(use.provider),
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
