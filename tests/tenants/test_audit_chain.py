"""Each organisation's events form one chain: no gap, no fork, whoever writes at the same time."""

import json
import threading
from collections.abc import Callable
from datetime import UTC
from hashlib import sha256

import pytest
from django.db import connection, connections, transaction

from leadagent.tenants import audit
from leadagent.tenants.audit_trail.chain import glance
from leadagent.tenants.models import AuditChain, AuditEvent, Organization
from tests.factories import OrganizationFactory
from tests.tenants.audit_rows import chain_now, run, unguarded, write

committed = pytest.mark.django_db(transaction=True)


def assert_whole(organization: Organization | None, length: int) -> list[AuditEvent]:
    """One chain of so many events, each linked to the one before, with the right head."""
    events = list(AuditEvent.objects.filter(organization=organization).order_by("position"))
    assert [event.position for event in events] == list(range(1, length + 1))
    hashes = [event.hash for event in events]
    assert [event.previous_hash for event in events] == ["", *hashes[:-1]]
    assert len(set(hashes)) == length
    chain = AuditChain.objects.get(pk=organization.pk if organization else 0)
    assert (chain.length, chain.head) == (length, hashes[-1])
    return events


def at_once(*acts: Callable[[], object]) -> None:
    """Run the acts in threads that start together, each on its own connection; none may raise."""
    start = threading.Barrier(len(acts))
    raised: list[BaseException] = []

    def run_one(act: Callable[[], object]) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            start.wait(timeout=20)
            act()
        except Exception as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run_one, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads)
    assert raised == []


@committed
def test_each_organisation_has_its_own_chain() -> None:
    acme, globex = OrganizationFactory(), OrganizationFactory()
    write(acme, 3)
    write(globex, 2)
    write(None, 2)
    assert_whole(acme, 3)
    assert_whole(globex, 2)
    assert_whole(None, 2)


@committed
def test_events_of_one_transaction_are_chained_in_their_order() -> None:
    acme, globex = OrganizationFactory(), OrganizationFactory()
    with transaction.atomic():
        for number in range(5):
            audit.record(f"act.{number}", organization=acme)
            with transaction.atomic():
                audit.record(f"act.{number}", organization=globex)
        assert not AuditEvent.objects.exclude(position=None).exists(), "nothing is locked before the commit"
    for organization in (acme, globex):
        assert [event.action for event in assert_whole(organization, 5)] == [f"act.{number}" for number in range(5)]


@committed
def test_what_is_rolled_back_leaves_no_gap() -> None:
    acme = OrganizationFactory()
    write(acme, 1)
    with transaction.atomic():
        audit.record("undone", organization=acme)
        transaction.set_rollback(True)
    with transaction.atomic():
        audit.record("before", organization=acme)
        with transaction.atomic():
            audit.record("undone", organization=acme)
            transaction.set_rollback(True)
    assert [event.action for event in assert_whole(acme, 2)] == ["member.removed", "before"]


@committed
def test_the_hash_is_of_every_column() -> None:
    """Written down a second time, in Python, from the documentation."""
    acme = OrganizationFactory()
    audit.record(
        "ai_config.saved", organization=acme, target="ü", before={"b": [1, 2.5], "aa": None}, after={"x": "é\n"}
    )
    event = AuditEvent.objects.get()
    at = event.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    values = [
        1, "", acme.pk, event.pk, at, None, "system", "ai_config.saved", "ü",
        {"b": [1, 2.5], "aa": None}, {"x": "é\n"}, None,
    ]  # fmt: skip
    assert event.hash == sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


@committed
def test_eight_writers_on_one_chain() -> None:
    acme = OrganizationFactory()
    at_once(*[lambda: write(acme, 50)] * 8)
    assert_whole(acme, 400)


@committed
def test_eight_writers_on_several_chains_in_opposite_orders() -> None:
    """Each transaction writes to three organisations, half of them in one order and half in the other."""
    organizations = OrganizationFactory.create_batch(3)

    def writer(order: list[Organization]) -> None:
        for _ in range(50):
            with transaction.atomic():
                for organization in order:
                    audit.record("x.y", organization=organization)

    at_once(*[lambda: writer(organizations), lambda: writer(organizations[::-1])] * 4)
    for organization in organizations:
        assert_whole(organization, 400)


@committed
def test_row_locks_of_the_domain_and_the_chain_do_not_wait_for_each_other() -> None:
    """Every writer locks the organisation as `byok.config.saving` does, before or after it records."""
    acme = OrganizationFactory()

    def writer(*, record_first: bool) -> None:
        for _ in range(50):
            with transaction.atomic():
                if record_first:
                    audit.record("x.y", organization=acme)
                Organization.objects.select_for_update(no_key=True).get(pk=acme.pk)
                if not record_first:
                    audit.record("x.y", organization=acme)

    at_once(*[lambda: writer(record_first=True), lambda: writer(record_first=False)] * 4)
    assert_whole(acme, 400)


@committed
def test_the_chain_is_locked_after_every_other_check_of_the_commit() -> None:
    """A check of a foreign key may wait for a row; whoever waits must not hold the chain.

    One transaction holds a row and records; another has recorded first and then points to that
    row, so that its check waits at commit. Were the chain locked by then, the two would wait for
    each other.
    """
    acme, globex = OrganizationFactory(), OrganizationFactory()
    pointed, held = threading.Event(), threading.Event()

    def points() -> None:
        with transaction.atomic():
            audit.record("points", organization=acme)
            run(
                "INSERT INTO tenants_apitoken (organization_id, name, token_hash, last4, scopes, created_at) "
                "VALUES (%s, 'x', 'x', 'x', '{}', now())",
                globex.pk,
            )
            assert held.wait(timeout=10)
            pointed.set()

    def holds() -> None:
        with transaction.atomic():
            Organization.objects.select_for_update().get(pk=globex.pk)
            held.set()
            assert pointed.wait(timeout=10)
            # The other one is at its commit and waits for the row.
            run("SELECT pg_sleep(0.3)")
            audit.record("holds", organization=acme)

    at_once(points, holds)
    assert [event.action for event in assert_whole(acme, 2)] == ["holds", "points"]


# --- What a page can see of it -----------------------------------------------------


def test_a_glance_sees_an_intact_chain(organization: Organization) -> None:
    events = write(organization, 5)
    chain_now()
    seen = glance(organization, events[1:3])
    assert (seen.length, seen.broken, seen.is_intact) == (5, (), True)
    assert seen.head == AuditEvent.objects.get(position=5).hash


def test_a_glance_at_nothing(organization: Organization) -> None:
    assert glance(organization, []).is_intact


@pytest.mark.parametrize(
    ("tampering", "broken", "head_is_right"),
    [
        ("UPDATE tenants_auditevent SET target = 'x' WHERE position = 3", (3,), True),
        ("UPDATE tenants_auditevent SET previous_hash = hash WHERE position = 3", (3,), True),
        ("DELETE FROM tenants_auditevent WHERE position = 5", (), False),
        ("UPDATE tenants_auditchain SET length = 4", (), False),
        ("UPDATE tenants_auditchain SET head = repeat('0', 64)", (), False),
        ("DELETE FROM tenants_auditchain", (), False),
    ],
)
@committed
def test_a_glance_sees_what_was_done_to_its_entries(
    tampering: str, broken: tuple[int, ...], head_is_right: bool
) -> None:
    acme = OrganizationFactory()
    events = write(acme, 5)
    with unguarded():
        run(tampering)
    seen = glance(acme, events)
    assert (seen.broken, seen.is_head_right, seen.is_intact) == (broken, head_is_right, False)


@committed
def test_a_glance_sees_an_entry_that_was_written_past_the_chain() -> None:
    acme = OrganizationFactory()
    write(acme, 1)
    with unguarded():
        run(
            "INSERT INTO tenants_auditevent (organization_id, actor_label, action, target, previous_hash, hash, created_at) "
            "VALUES (%s, 'x', 'x', '', '', '', now())",
            acme.pk,
        )
    seen = glance(acme, list(AuditEvent.objects.all()))
    assert (seen.unchained, seen.is_intact) == (1, False)
