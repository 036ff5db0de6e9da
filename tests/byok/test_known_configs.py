"""What the resolver keeps in memory: no query while nothing changes, and nothing that has been changed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from byok.config import heard, known_configs
from byok.config.saving import save_ai_config
from byok.keys.stored import remove_api_key
from byok.models import AIConfig, CredentialStatus, ProviderCredential
from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.keys import KEYS
from tests.factories import OrganizationFactory
from tests.serving import until

pytestmark = pytest.mark.django_db(transaction=True)

NEW_KEY = "sk-proj-NEWnewNEWnewNEWnewNEWnew0000wxyz"


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    heard.close()
    yield
    heard.close()


@pytest.fixture
def acme(organization: Organization) -> Organization:
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    resolve(organization)
    return organization


def resolve(organization: Organization) -> TenantModel:
    return get_model_for_tenant(organization, "chat", operation="research")


def queries(organization: Organization) -> int:
    with CaptureQueriesContext(connection) as captured:
        resolve(organization)
    return len(captured)


@contextmanager
def elsewhere() -> Iterator["psycopg.Connection[Any]"]:
    """Another process, as far as the database can tell."""
    parameters = connections["default"].get_connection_params()
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    with psycopg.connect(**parameters | {"autocommit": True}) as other:
        yield other


def test_no_query_while_nothing_changes(acme: Organization) -> None:
    assert [queries(acme) for _ in range(3)] == [0, 0, 0]
    other = OrganizationFactory()
    assert queries(other) == 3
    assert (queries(other), queries(acme)) == (0, 0)


def _input_price(model: TenantModel) -> Decimal | None:
    price = model.context.price
    return price.pricing.standard.base.input if price else None


CHANGES: dict[str, tuple[str, Callable[[TenantModel], bool]]] = {
    "another model": (
        "UPDATE byok_aiconfig SET chat_model = 'gpt-5'",
        lambda model: model.model_id == "gpt-5",
    ),
    "less detail": (
        "UPDATE byok_aiconfig SET usage_tracking = false",
        lambda model: not model.context.keep_detail,
    ),
    "the platform's AI": ("DELETE FROM byok_aiconfig", lambda model: not model.is_customer_key),
    "the key's state": (
        "UPDATE byok_providercredential SET status = 'rejected'",
        lambda model: bool(model.context.credential and model.context.credential.status == "rejected"),
    ),
    "a key saved anew": (
        "UPDATE byok_providercredential SET saved_at = '2030-01-01 00:00+00'",
        lambda model: bool(model.context.credential and model.context.credential.saved_at.year == 2030),
    ),
    "a list price": (
        """INSERT INTO byok_datedprice
        (route, model_id, input_price, output_price, source, note, created_at, effective_from)
        VALUES ('openai', 'gpt-4o', 7, 8, 'openai 2026-11-26', '', now(), now() - interval '1 day')""",
        lambda model: _input_price(model) == 7,
    ),
    "a negotiated price": (
        """INSERT INTO byok_datedprice
        (organization_id, route, model_id, input_price, output_price, source, note, created_at, effective_from)
        SELECT id, 'openai', 'gpt-4o', 9, 9, '', '', now(), now() - interval '1 day'
        FROM tenants_organization WHERE name = 'Acme'""",
        lambda model: _input_price(model) == 9,
    ),
    "everything emptied": (
        "SET leadagent.allow_truncate = on; TRUNCATE byok_aiconfig, byok_providercredential CASCADE",
        lambda model: not model.is_customer_key,
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_another_process_commits_is_heard_of(
    acme: Organization, change: tuple[str, Callable[[TenantModel], bool]]
) -> None:
    statement, is_seen = change
    with elsewhere() as other:
        other.execute(statement.encode())
    until(lambda: is_seen(resolve(acme)), "the change is seen", seconds=5)
    assert queries(acme) == 0


def test_what_is_not_committed_is_not_seen_elsewhere(acme: Organization) -> None:
    with elsewhere() as other, other.transaction(force_rollback=True):
        other.execute("UPDATE byok_aiconfig SET chat_model = 'gpt-5'")
        assert resolve(acme).model_id == "gpt-4o"
    assert resolve(acme).model_id == "gpt-4o"


def test_what_nobody_resolves_by_is_not_told(acme: Organization) -> None:
    """A last use and a rotation touch every key: they must not empty every memory."""
    with elsewhere() as other:
        other.execute("UPDATE byok_providercredential SET last_used_at = now(), sealed_key = 'anew', status = status")
        other.execute("UPDATE byok_aiconfig SET chat_model = 'gpt-5'")
    until(lambda: resolve(acme).model_id == "gpt-5", "the second is seen", seconds=5)
    assert heard._heard is not None
    assert heard._heard.count == 1


def test_own_saves_are_seen_at_once(acme: Organization) -> None:
    for model in ("gpt-5", "gpt-4o", "gpt-5"):
        save_ai_config(acme, provider="openai", chat_model=model)
        assert resolve(acme).model_id == model
    first = resolve(acme).context.credential
    remove_api_key(acme, "openai")
    save_ai_config(acme, provider="openai", chat_model="gpt-4o", api_key=NEW_KEY)
    second = resolve(acme).context.credential
    assert first is not None
    assert second is not None
    assert first.id != second.id


def test_inside_a_transaction_its_own_changes_count(acme: Organization) -> None:
    with transaction.atomic():
        AIConfig.objects.filter(organization=acme).update(chat_model="gpt-5")
        assert resolve(acme).model_id == "gpt-5"
        transaction.set_rollback(True)
    assert resolve(acme).model_id == "gpt-4o"


def test_what_was_read_before_a_change_was_told_is_not_kept(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change comes between the reading and the keeping."""
    read = known_configs._read

    def read_and_then_change(organization_id: int) -> known_configs.KnownConfig:
        found = read(organization_id)
        with elsewhere() as other:
            other.execute("UPDATE byok_aiconfig SET chat_model = 'gpt-5'")
        # On its way through PostgreSQL for a moment.
        listening = heard._heard
        assert listening is not None
        before = listening.count
        until(lambda: _count_after_a_look(listening) > before, "the notice has come", seconds=5)
        return found

    heard.forget_all()
    monkeypatch.setattr(known_configs, "_read", read_and_then_change)
    assert resolve(acme).model_id == "gpt-4o"
    monkeypatch.undo()
    assert resolve(acme).model_id == "gpt-5"


def _count_after_a_look(listening: Any) -> int:
    with heard._lock:
        heard._take_notices(listening)
    return int(listening.count)


def test_a_lost_connection_empties_the_memory(acme: Organization) -> None:
    assert queries(acme) == 0
    with elsewhere() as other:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leadagent-config'"
        # Only this test's own: other runs have databases of their own.
        other.execute(f"{ended} AND datname = current_database()".encode())
        other.execute("UPDATE byok_aiconfig SET chat_model = 'gpt-5'")
    until(lambda: resolve(acme).model_id == "gpt-5", "the end is noticed", seconds=5)
    # Not listening for a moment, every answer is read; then it listens again.
    until(lambda: queries(acme) == 0, "it listens again", seconds=5)
    with elsewhere() as other:
        other.execute("UPDATE byok_aiconfig SET chat_model = 'gpt-4o'")
    until(lambda: resolve(acme).model_id == "gpt-4o", "it hears again", seconds=5)


def test_while_nothing_can_be_heard_nothing_is_kept(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise psycopg.OperationalError("too many connections")

    heard.close()
    monkeypatch.setattr(heard, "_connect", away)
    monkeypatch.setattr(heard, "_failed_at", float("-inf"))
    assert [queries(acme) for _ in range(2)] == [3, 3]


def test_many_threads_agree_after_a_change(acme: Organization) -> None:
    stop, seen = threading.Event(), set()

    def ask() -> None:
        try:
            while not stop.is_set():
                seen.add(resolve(acme).model_id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(20):
            save_ai_config(acme, provider="openai", chat_model=f"gpt-{number}")
            assert resolve(acme).model_id == f"gpt-{number}"
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
    assert seen <= {"gpt-4o", *(f"gpt-{number}" for number in range(20))}
    assert resolve(acme).model_id == "gpt-19"


def test_a_status_that_was_noted_after_the_reading_is_the_younger_one(acme: Organization) -> None:
    """A model from memory must not pass its older state of the key for what is known: see `note_outcome`."""
    first, again = (resolve(acme).context.credential for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.read_at == again.read_at
    ProviderCredential.objects.filter(organization=acme).update(status=CredentialStatus.OK)
    until(lambda: (resolve(acme).context.credential or first).read_at > first.read_at, "it is read anew", seconds=5)
