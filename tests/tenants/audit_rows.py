"""Audit rows for tests, and ways past the database's guards that only its superuser has."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from leadagent.tenants import audit
from leadagent.tenants.models import AuditEvent, Organization


def write(organization: Organization | None, count: int, *, action: str = "member.removed") -> list[AuditEvent]:
    """So many events, each in a transaction of its own, as they are in the table."""
    events = [audit.record(action, organization=organization, target=f"person {n}") for n in range(1, count + 1)]
    return list(AuditEvent.objects.filter(pk__in=[event.pk for event in events]).order_by("pk"))


def chain_now() -> None:
    """Do what the commit would do, inside a test that never commits."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@contextmanager
def unguarded() -> Iterator[None]:
    """Triggers do not fire inside: what a superuser could do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield


def run(sql: str, *parameters: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
