"""What beat schedules exists, is told in the operations guide, and does no harm when it runs twice."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import time_machine
from celery.schedules import crontab
from django.apps import apps
from django.conf import settings as django_settings
from django.core import mail
from django.db import connection
from pytest_django import Settings

from byok.catalog.fetching import Fetched
from byok.checking.asking import Answer
from byok.config.saving import save_ai_config
from byok.models import (
    CatalogChange,
    CatalogModel,
    CatalogSync,
    ChangeKind,
    CredentialStatus,
    ProviderCredential,
    SealingSecret,
    SupersededKey,
)
from leadagent.egress import Answer as Taken
from leadagent.leads import tasks as lead_tasks
from leadagent.leads.importing.imports import take_file
from leadagent.leads.models import LeadEvent
from leadagent.leads.outcomes.events import note_outcome
from leadagent.leads.outcomes.webhooks import add_webhook
from leadagent.tenants.models import Role
from tests.byok.asked import Asked
from tests.byok.fake_provider import MODELS
from tests.byok.keys import KEYS
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory
from tests.leads.factories import LeadFactory, run_for
from tests.project.files import ROOT
from tests.tenants.audit_rows import chain_now
from tests.usage.factories import finished, record, started, store
from usage.alerting.cost_alert import CostAlertChoice, save_cost_alert
from usage.ledger.partitions import ensure_partitions
from usage.models import UsageExport, UsageInbox
from usage.recording import durable

SCHEDULE: dict[str, dict[str, Any]] = django_settings.CELERY_BEAT_SCHEDULE
NAMES = sorted(entry["task"] for entry in SCHEDULE.values())
# Key use of a day is counted in this hour of the next.
NOW = datetime(2031, 1, 2, 2, 30, tzinfo=UTC)
NEW_KEY = "sk-proj-n3wn3wn3wn3wn3wn3wn3wn3wn3wn3w"
LAST_YEAR = NOW - timedelta(days=366)

_REGISTERED = """
from leadagent.celery import app
import django
django.setup()
app.loader.import_default_modules()
print("\\n".join(sorted(app.tasks)))
"""


@pytest.fixture(scope="module", autouse=True)
def pool_closed_before_the_database_goes(django_db_setup: None) -> Iterator[None]:
    yield
    durable.close()


def documented() -> dict[str, str]:
    """The table of docs/operations.md: task -> how often."""
    text = (ROOT / "docs/operations.md").read_text().partition("## What runs on a schedule")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+?) \|", text, flags=re.MULTILINE))


def in_words(schedule: float | crontab) -> str:
    """How often, as the table says it."""
    if isinstance(schedule, crontab):
        [hour], [minute] = schedule.hour, schedule.minute
        return f"day, {hour:02}:{minute:02} UTC"
    if schedule <= 60:
        return f"{schedule:.0f} s"
    return f"{schedule / 60:.0f} min" if schedule < 3600 else f"{schedule / 3600:.0f} h"


def test_every_scheduled_task_is_registered_with_a_worker() -> None:
    """In a process of its own: here, other tests have imported the modules already."""
    listed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _REGISTERED],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    registered = listed.stdout.split()
    assert "usage.tasks.drain_inbox" in registered
    assert [name for name in NAMES if name not in registered] == []


def test_no_task_is_scheduled_twice() -> None:
    assert len(NAMES) == len(set(NAMES)) == len(SCHEDULE)


def test_the_operations_guide_lists_what_runs_and_how_often() -> None:
    assert documented() == {entry["task"]: in_words(entry["schedule"]) for entry in SCHEDULE.values()}


# --- Twice ----------------------------------------------------------------------------


@pytest.fixture
def installation(
    db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, list[Any]]]:
    """One with something to do for each task. What leaves the database is collected: nudges, questions, log lines."""
    settings.USAGE_SPOOL_DIR = str(tmp_path / "spool")
    settings.EXPORT_DIR = str(tmp_path / "exports")
    asked = Asked()
    monkeypatch.setattr("byok.checking.rechecking.test_ai_connection", asked)
    nudged: list[Any] = []
    monkeypatch.setattr(lead_tasks, "_tell", lambda task, *row_id, **_: nudged.append((task.name, row_id)))
    settings.USAGE_RETENTION_MONTHS = 24
    ensure_partitions([date(2027, 1, 1), LAST_YEAR.date(), (NOW - timedelta(days=1)).date(), NOW.date()])

    with time_machine.travel(LAST_YEAR, tick=False):
        UserFactory(email="root@leadagent.test", is_staff=True, is_superuser=True)
        refused, replaced = (OrganizationFactory(slug=slug) for slug in ("refused", "replaced"))
        MembershipFactory(organization=refused, role=Role.ADMIN, user__email="admin@refused.test")
        for organization, key in ((refused, KEYS["openai"]), (replaced, KEYS["openai"]), (replaced, NEW_KEY)):
            save_ai_config(organization, provider="openai", chat_model=MODELS["openai"], api_key=key)
        # Whose columns nobody has chosen since.
        take_file(replaced, "leads.csv", b"email,message\nann@gears.example,Hello\n", by=UserFactory())
        # The secret was seen then, and is more than 90 days old.
        SealingSecret.objects.update_or_create(
            key_id=ProviderCredential.objects.get(organization=replaced).key_id, defaults={"first_used_at": LAST_YEAR}
        )
    with time_machine.travel(NOW, tick=False):
        of_refused = ProviderCredential.objects.filter(organization=refused)
        of_refused.update(status=CredentialStatus.REJECTED, refused_since=NOW, next_check_at=NOW + timedelta(days=1))
        save_cost_alert(replaced, CostAlertChoice(True, Decimal("0.00001"), "costs@replaced.test"))
        credential = ProviderCredential.objects.get(organization=replaced)
        store(finished(replaced, at=NOW), finished(replaced, at=NOW - timedelta(days=1), credential_id=credential.pk))
        # Of a provider that cannot be asked afterwards.
        lost_answer = {"success": False, "estimated_cost": None, "provider_request_id": "chatcmpl-1"}
        store(finished(replaced, at=NOW, **lost_answer))
        record(finished(replaced, at=NOW))
        lost = started(replaced, at=LAST_YEAR)
        record(lost)
        UsageInbox.objects.filter(event_id=lost.id).update(received_at=LAST_YEAR)
        run = run_for(LeadFactory(organization=replaced))
        add_webhook(replaced, url="https://hooks.example.com/", events=["lead.created"], by=UserFactory())
        note_outcome(run.lead, LeadEvent.CREATED, key=run.lead.pk)
        posted: list[Any] = []

        def take(url: str, *_: Any) -> Taken:
            posted.append(url)
            return Taken(204, b"")

        monkeypatch.setattr("leadagent.egress.post", take)
        # What the catalog has to do: a list that is new, an account to look at, a price to tell of.
        of_replaced = ProviderCredential.objects.filter(organization=replaced)
        of_replaced.update(status=CredentialStatus.OK, next_check_at=NOW - timedelta(minutes=1))
        MembershipFactory(organization=replaced, role=Role.ADMIN, user__email="admin@replaced.test")
        monkeypatch.setattr("byok.catalog.syncing.fetch_list", listing)
        monkeypatch.setattr(
            "byok.catalog.own_models.ask", lambda *_, **__: Answer(200, b'{"data": [{"id": "ft:gpt-4o:a::1"}]}')
        )
        CatalogChange.objects.create(
            sync=CatalogSync.objects.create(source="earlier"),
            kind=ChangeKind.REPRICED,
            route="openai",
            model_id=MODELS["openai"],
        )
        UsageExport.objects.create(organization=replaced, requested_by=UserFactory(), format="csv")
        assert SupersededKey.objects.filter(undo_until__lte=NOW).exists()
        chain_now()
        mail.outbox.clear()
        yield {"asked": asked.calls, "nudged": nudged, "posted": posted}


def listing(provider: str, path: str, *, etag: str = "") -> Fetched:
    """OpenRouter's list: one model more than the packaged one, and not sent again to who has it."""
    if etag:
        return Fetched(None, etag)
    known = CatalogModel.objects.filter(route=provider).values_list("model_id", flat=True)
    names = [*known, "acme/new"] if path == "/models" else []
    return Fetched(json.dumps({"data": [{"id": name} for name in names]}).encode(), '"1"')


def everything(outside: dict[str, list[Any]]) -> dict[str, Any]:
    """All rows of all tables, all partitions, all mails, and what else went out."""
    found: dict[str, Any] = {name: list(made) for name, made in outside.items()}
    found["mails"] = [(sent.to, sent.subject) for sent in mail.outbox]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage_aiusage'::regclass")
        found["partitions"] = cursor.fetchone()
    for model in apps.get_models():
        found[model._meta.label] = list(model._default_manager.order_by("pk").values())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_second_run_changes_nothing(
    installation: dict[str, list[Any]], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    module, _, task = name.rpartition(".")
    run = getattr(import_module(module), task)
    caplog.set_level("INFO")

    before = everything(installation)
    run()
    once = everything(installation)
    run()

    assert everything(installation) == once
    # The heads of the audit log are told to the log, and to nothing else.
    did_something = "audit head:" in caplog.text if task == "log_audit_heads" else once != before
    assert did_something, "there was nothing to do"
