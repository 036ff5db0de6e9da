"""What a comparison of two databases finds, and what it takes for the same."""

from dataclasses import replace

import pytest
from django.db import connection

from leadagent.backup.contents import Contents, different_parts, different_rows, read_contents
from leadagent.backup.programs import ProgramFailed, find_programs, server_version
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory

pytestmark = pytest.mark.django_db

ORIGINAL = Contents({"public.a": (2, "11"), "public.b": (0, "0")}, {"triggers": frozenset({"CREATE TRIGGER x"})})


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_same_is_the_same() -> None:
    assert different_rows(ORIGINAL, ORIGINAL) == different_parts(ORIGINAL, ORIGINAL) == []


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({"public.a": (1, "5")}, "public.a has 2 rows in the original and 1 in the copy"),
        ({"public.a": (2, "12")}, "public.a has 2 rows in both, with other contents"),
        ({"public.c": (0, "0")}, "public.c is missing in the original"),
    ],
)
def test_rows_that_are_not_the_same_are_named(rows: dict[str, tuple[int, str]], sentence: str) -> None:
    assert different_rows(ORIGINAL, replace(ORIGINAL, rows=ORIGINAL.rows | rows)) == [sentence]
    assert different_rows(ORIGINAL, replace(ORIGINAL, rows={"public.b": (0, "0")})) == [
        "public.a is missing in the copy"
    ]


def test_a_trigger_that_is_missing_is_named() -> None:
    copy = replace(ORIGINAL, parts={"triggers": frozenset({"CREATE TRIGGER y"})})
    assert different_parts(ORIGINAL, copy) == [
        "triggers: missing in the copy: CREATE TRIGGER x",
        "triggers: only in the copy: CREATE TRIGGER y",
    ]


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory(slug="acme")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE tenants_organization SET name = 'Other' WHERE slug = 'acme'", "tenants_organization has 1 rows in both"),
        ("DELETE FROM byok_catalogmodel", "rows in the original and 0 in the copy"),
        ("ALTER TABLE tenants_auditevent DISABLE TRIGGER audit_guard", "triggers: missing in the copy: CREATE TRIGGER"),
        ("DROP TRIGGER audit_refuse_truncate ON tenants_auditevent", "audit_refuse_truncate"),
        ("DROP INDEX run_active", "indexes: missing in the copy: CREATE INDEX run_active"),
        ("DROP FUNCTION byok_tell_of_change CASCADE", "functions: missing in the copy: CREATE OR REPLACE FUNCTION"),
    ],
)  # fmt: skip
def test_each_change_to_a_real_database_is_found(organization: Organization, change: str, found: str) -> None:
    before = read_contents()
    assert before.row_count > 100
    assert {"public.usage_aiusage"} & set(before.rows) == set(), "a partitioned table holds nothing itself"
    execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    execute(change)
    after = read_contents()
    told = different_rows(before, after) + different_parts(before, after)
    assert [sentence for sentence in told if found in sentence], told


def test_a_sequence_behind_its_rows_is_a_fault(organization: Organization) -> None:
    def faults() -> list[str]:
        return [fault for proof in proofs_that_need_no_transaction() for fault in proof]

    assert faults() == []
    execute("SELECT setval(pg_get_serial_sequence('tenants_organization', 'id'), 1)")
    execute("UPDATE tenants_organization SET id = 900 WHERE slug = 'acme'")
    assert faults() == ["the sequence tenants_organization_id_seq is at 1, and tenants_organization has 900"]


def proofs_that_need_no_transaction() -> list[list[str]]:
    from leadagent.backup.proofs import _sequences, _version

    return [_version().faults, _sequences().faults]


def test_programs_that_are_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert int(find_programs().version.partition(".")[0]) >= server_version()
    monkeypatch.setattr("leadagent.backup.programs._version", lambda directory: "9.6")
    with pytest.raises(ProgramFailed, match=r"needs pg_dump and pg_restore of version \d+ or newer on PATH.*\(9\.6\)"):
        find_programs()


def test_no_programs_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadagent.backup.programs._directories", lambda: iter(()))
    with pytest.raises(ProgramFailed, match="None was found"):
        find_programs()


def test_a_program_that_fails_says_why_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProgramFailed, match=r"pg_dump ended with exit code 1: .*no-such-database"):
        find_programs().run("pg_dump", "--dbname", "no-such-database")
