"""PostgreSQL itself refuses to change the audit log, whoever asks."""

import pytest
from django.db import ProgrammingError, connection, transaction

from leadagent.tenants import audit
from leadagent.tenants.models import AuditChain, AuditEvent, Organization, User
from tests.factories import OrganizationFactory, UserFactory
from tests.tenants.audit_rows import chain_now, run, write


@pytest.fixture
def event(organization: Organization) -> AuditEvent:
    [event] = write(organization, 1)
    chain_now()
    event.refresh_from_db()
    return event


@pytest.mark.parametrize(
    "change",
    [
        "action = 'x.y'", "target = ''", "actor_label = 'somebody'", "after = '{}'", "created_at = now()",
        "ip_address = '127.0.0.1'", "organization_id = NULL", "actor_id = 1", "position = 7", "hash = ''",
        "previous_hash = ''", "position = NULL", "action = action",
    ],
)  # fmt: skip
def test_no_column_is_updated(event: AuditEvent, change: str) -> None:
    with pytest.raises(ProgrammingError, match="The audit log is append-only: UPDATE is refused"), transaction.atomic():
        run(f"UPDATE tenants_auditevent SET {change}")
    assert AuditEvent.objects.values().get() == {
        field.attname: getattr(event, field.attname) for field in AuditEvent._meta.concrete_fields
    }


def test_nothing_is_updated_before_it_is_chained_either(organization: Organization) -> None:
    audit.record("x", organization=organization)
    for change in ("position = 0", "position = 1, hash = 'x'", "target = 'y'"):
        with pytest.raises(ProgrammingError, match="UPDATE is refused"), transaction.atomic():
            run(f"UPDATE tenants_auditevent SET {change}")


def test_nothing_is_deleted(event: AuditEvent) -> None:
    with pytest.raises(ProgrammingError, match="The audit log is append-only: DELETE is refused"), transaction.atomic():
        event.delete()
    with pytest.raises(ProgrammingError, match="DELETE is refused"), transaction.atomic():
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.count() == 1


def test_no_row_brings_its_own_place(organization: Organization) -> None:
    for fields in ({"position": 1}, {"hash": "0" * 64}, {"previous_hash": "0" * 64}):
        with pytest.raises(ProgrammingError, match="numbers and hashes its entries itself"), transaction.atomic():
            AuditEvent.objects.create(organization=organization, actor_label="x", action="x", **fields)


def test_heads_are_the_databases_own(event: AuditEvent) -> None:
    chain = AuditChain.objects.filter(length=1)
    with pytest.raises(ProgrammingError, match=r"heads of the audit log.*UPDATE"), transaction.atomic():
        chain.update(length=5)
    with pytest.raises(ProgrammingError, match=r"heads of the audit log.*DELETE"), transaction.atomic():
        chain.delete()
    with pytest.raises(ProgrammingError, match=r"heads of the audit log.*INSERT"), transaction.atomic():
        AuditChain.objects.create(pk=999, length=0, head="")
    assert chain.get().length == 1


@pytest.mark.parametrize("table", ["tenants_auditevent", "tenants_auditchain"])
def test_truncate_is_for_tests_only(event: AuditEvent, table: str) -> None:
    # The constraint triggers have nothing left to do, or PostgreSQL would refuse for that reason.
    with connection.cursor() as cursor:
        cursor.execute("SHOW leadagent.allow_truncate")
        assert cursor.fetchone() == ("on",)
    for setting in ("off", ""):
        run("SELECT set_config('leadagent.allow_truncate', %s, true)", setting)
        with pytest.raises(ProgrammingError, match="append-only: TRUNCATE is refused"), transaction.atomic():
            run(f"TRUNCATE {table}")
    assert AuditEvent.objects.count() == AuditChain.objects.count() == 1


def test_accounts_and_organisations_go_without_touching_a_row(db: None) -> None:
    user: User = UserFactory()
    organization: Organization = OrganizationFactory()
    audit.record("kept", organization=organization, actor=user)
    chain_now()
    before = list(AuditEvent.objects.values())
    user.delete()
    organization.delete()
    chain_now()
    assert list(AuditEvent.objects.values()) == before
