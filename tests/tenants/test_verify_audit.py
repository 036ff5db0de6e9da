"""`manage.py verify_audit` finds whatever a superuser did to the audit log, and nothing where nothing was done."""

import threading
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from leadagent.tenants import audit
from leadagent.tenants.audit_trail import verify as proving
from leadagent.tenants.audit_trail.verify import Kind, prove_chain
from leadagent.tenants.models import AuditChain, AuditEvent, Organization
from leadagent.tenants.tasks import log_audit_heads
from tests.factories import OrganizationFactory
from tests.tenants.audit_rows import run, unguarded, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> Organization:
    """An organisation with ten events, beside another one with three."""
    acme = OrganizationFactory(name="Acme", slug="acme")
    write(acme, 10)
    write(OrganizationFactory(name="Globex", slug="globex"), 3)
    return acme


def verify(**options: object) -> str:
    """What the command prints; raises CommandError where it finds a break."""
    out = StringIO()
    call_command("verify_audit", stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def breaks(organization: Organization) -> list[tuple[str, int]]:
    proof = prove_chain(organization.pk, progress=lambda read: None)
    return [(found.kind, found.position) for found in proof.breaks]


def rehash(position: int) -> None:
    """What someone does who knows how the hash is made."""
    run("UPDATE tenants_auditevent AS e SET hash = tenants_audit_hash(e) WHERE position = %s", position)


def test_an_intact_log_prints_its_heads(acme: Organization) -> None:
    audit.record("nobody's", organization=None)
    out = verify()
    heads = {chain.pk: chain for chain in AuditChain.objects.all()}
    assert f"OK acme chain={acme.pk} length=10 head={heads[acme.pk].head}" in out
    assert "OK globex chain=" in out
    assert f"OK (no organisation) chain=0 length=1 head={heads[0].head}" in out
    assert out.splitlines()[-1] == "The audit log is intact: 3 chains."


def test_one_organisation_only(acme: Organization) -> None:
    assert verify(organization="acme").splitlines()[1:] == ["The audit log is intact: 1 chain."]
    with unguarded():
        run("UPDATE tenants_auditevent SET target = 'x' WHERE organization_id <> %s", acme.pk)
    assert "intact" in verify(organization="acme")
    with pytest.raises(CommandError, match="no organisation with the address 'nope'"):
        verify(organization="nope")


def test_an_empty_log_is_intact() -> None:
    assert verify() == "The audit log is intact: 0 chains.\n"


def test_a_deleted_organisations_chain_is_proved_too(acme: Organization) -> None:
    number = acme.pk
    acme.delete()
    assert f"OK (deleted organisation) chain={number} length=10" in verify()


EVERY_COLUMN = [
    "action = 'x.y'", "target = 'x'", "actor_label = 'somebody else'", "actor_id = 4711", "before = '{}'",
    "after = '{\"role\": \"admin\"}'", "created_at = created_at - interval '1 microsecond'", "ip_address = '10.0.0.1'",
    "id = id + 1000",
]  # fmt: skip


def test_a_changed_row() -> None:
    for column in EVERY_COLUMN:
        organization = OrganizationFactory()
        write(organization, 5)
        with unguarded():
            run(f"UPDATE tenants_auditevent SET {column} WHERE position = 4 AND organization_id = %s", organization.pk)
        assert breaks(organization) == [(Kind.CHANGED, 4)], column


def test_a_changed_row_with_its_hash_made_anew(acme: Organization) -> None:
    with unguarded():
        run("UPDATE tenants_auditevent SET target = 'x' WHERE position = 4")
        rehash(4)
    assert breaks(acme) == [(Kind.CHANGED, 4)]


def test_the_last_row_changed_with_its_hash_made_anew(acme: Organization) -> None:
    with unguarded():
        run("UPDATE tenants_auditevent SET target = 'x' WHERE position = 10")
        rehash(10)
    assert breaks(acme) == [(Kind.HEAD, 10)]


def test_a_missing_row() -> None:
    for which, first in (("= 1", 1), ("= 6", 6), ("BETWEEN 3 AND 5", 3)):
        organization = OrganizationFactory()
        write(organization, 10)
        with unguarded():
            run(f"DELETE FROM tenants_auditevent WHERE position {which} AND organization_id = %s", organization.pk)
        assert breaks(organization) == [(Kind.MISSING, first)]


def test_a_missing_row_with_the_rest_numbered_anew(acme: Organization) -> None:
    with unguarded():
        run("DELETE FROM tenants_auditevent WHERE position = 6 AND organization_id = %s", acme.pk)
        for position in range(7, 11):
            run(
                "UPDATE tenants_auditevent SET position = position - 1 WHERE position = %s AND organization_id = %s",
                position,
                acme.pk,
            )
        run("UPDATE tenants_auditchain SET length = 9 WHERE id = %s", acme.pk)
    assert breaks(acme) == [(Kind.REORDERED, position) for position in range(6, 10)]


def swap(organization: Organization, one: int, other: int, *, links: bool) -> None:
    """Put two rows in each other's place; with `links` each also names the row that is before it now."""
    rows = AuditEvent.objects.filter(organization=organization, position__in=(one, other))
    found = {position: (pk, previous) for position, pk, previous in rows.values_list("position", "pk", "previous_hash")}
    run("UPDATE tenants_auditevent SET position = -1 WHERE id = %s", found[one][0])
    for old, new in ((other, one), (one, other)):
        run("UPDATE tenants_auditevent SET position = %s WHERE id = %s", new, found[old][0])
        if links:
            run("UPDATE tenants_auditevent SET previous_hash = %s WHERE id = %s", found[new][1], found[old][0])


def test_two_rows_in_each_others_place() -> None:
    for one, other, links in ((4, 5, False), (4, 5, True), (5, 9, False), (5, 9, True)):
        organization = OrganizationFactory()
        write(organization, 10)
        with unguarded():
            swap(organization, one, other, links=links)
        assert breaks(organization) == [(Kind.REORDERED, one), (Kind.REORDERED, other)], (one, other, links)


def test_a_truncated_end(acme: Organization) -> None:
    with unguarded():
        run("DELETE FROM tenants_auditevent WHERE position > 7 AND organization_id = %s", acme.pk)
    assert breaks(acme) == [(Kind.TRUNCATED, 8)]


def test_everything_gone_but_the_head(acme: Organization) -> None:
    with unguarded():
        run("DELETE FROM tenants_auditevent WHERE organization_id = %s", acme.pk)
    assert breaks(acme) == [(Kind.TRUNCATED, 1)]


@pytest.mark.parametrize("change", ["head = repeat('0', 64)", "length = 9"])
def test_a_changed_head(acme: Organization, change: str) -> None:
    with unguarded():
        run(f"UPDATE tenants_auditchain SET {change} WHERE id = %s", acme.pk)
    assert breaks(acme) == [(Kind.HEAD, 10)]


def test_a_head_that_is_gone(acme: Organization) -> None:
    with unguarded():
        run("DELETE FROM tenants_auditchain WHERE id = %s", acme.pk)
    assert breaks(acme) == [(Kind.HEAD, 10)]
    with pytest.raises(CommandError):
        verify()


def test_a_row_that_was_written_past_the_chain(acme: Organization) -> None:
    with unguarded():
        audit.record("x.y", organization=acme)
    assert breaks(acme) == [(Kind.ADDED, 0)]


def test_a_row_moved_to_another_organisation(acme: Organization) -> None:
    other = OrganizationFactory()
    with unguarded():
        run("UPDATE tenants_auditevent SET organization_id = %s WHERE position = 10", other.pk)
    assert breaks(acme) == [(Kind.TRUNCATED, 10)]
    assert [kind for kind, _ in breaks(other)] == [Kind.MISSING, Kind.CHANGED, Kind.HEAD]


def test_two_rows_with_one_number(acme: Organization) -> None:
    with transaction.atomic():
        run("DROP INDEX audit_one_event_per_position")
        with unguarded():
            run("UPDATE tenants_auditevent SET position = 9 WHERE position = 10")
    try:
        assert breaks(acme) == [(Kind.ADDED, 9), (Kind.TRUNCATED, 10)]
    finally:
        with unguarded():
            run(
                "UPDATE tenants_auditevent SET position = 10 WHERE id = (SELECT max(id) FROM tenants_auditevent WHERE position = 9)"
            )
        run(
            "CREATE UNIQUE INDEX audit_one_event_per_position ON tenants_auditevent (organization_id, position) "
            "NULLS NOT DISTINCT WHERE position > 0"
        )


def test_a_trigger_that_is_switched_off(acme: Organization) -> None:
    run("ALTER TABLE tenants_auditevent DISABLE TRIGGER audit_guard")
    try:
        with pytest.raises(CommandError, match="1 break"):
            verify()
        assert [found.detail for found in proving.unprotected()] == [
            "the trigger audit_guard is missing or switched off"
        ]
    finally:
        run("ALTER TABLE tenants_auditevent ENABLE TRIGGER audit_guard")
    assert "intact" in verify()


def test_a_break_is_told_with_its_place_and_ends_with_code_1(acme: Organization) -> None:
    with unguarded():
        run("UPDATE tenants_auditevent SET target = 'x' WHERE position = 2 AND organization_id = %s", acme.pk)
        run("DELETE FROM tenants_auditevent WHERE position = 5 AND organization_id = %s", acme.pk)
    out = StringIO()
    with pytest.raises(CommandError, match="not what was written: 2 breaks") as raised:
        call_command("verify_audit", stdout=out)
    assert raised.value.returncode == 1
    lines = out.getvalue().splitlines()
    assert "BROKEN acme entry 2: changed entry: its content does not have its hash" in lines
    assert "BROKEN acme entry 5: missing entry: entry 5 is not there" in lines
    assert any(line.startswith("OK globex") for line in lines), "the others are proved all the same"
    assert not any(line.startswith("OK acme") for line in lines)


def test_many_breaks_are_counted_and_some_described(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "MAX_DESCRIBED", 3)
    with unguarded():
        run("UPDATE tenants_auditevent SET target = 'x' WHERE organization_id = %s", acme.pk)
    proof = prove_chain(acme.pk, progress=lambda read: None)
    assert (len(proof.breaks), proof.break_count) == (3, 10)
    out = StringIO()
    with pytest.raises(CommandError, match="10 breaks"):
        call_command("verify_audit", stdout=out)
    assert "BROKEN acme and 7 more breaks" in out.getvalue()


# --- Against what was kept elsewhere -------------------------------------------------


@pytest.fixture
def kept(acme: Organization, tmp_path: Path) -> Path:
    """Output of the command, kept before more was written."""
    file = tmp_path / "heads.txt"
    file.write_text(verify())
    write(acme, 3)
    return file


def test_old_heads_are_inside_the_longer_chains(kept: Path) -> None:
    assert "length=13" in verify(expect=kept)


def rewrite_from(organization: Organization, position: int) -> None:
    """Change a row and every hash after it, head and all: the chain proves itself again."""
    run(
        "UPDATE tenants_auditevent SET target = 'x' WHERE position = %s AND organization_id = %s",
        position,
        organization.pk,
    )
    last = AuditEvent.objects.filter(organization=organization).count()
    for place in range(position, last + 1):
        run(
            "UPDATE tenants_auditevent AS e SET previous_hash = coalesce((SELECT hash FROM tenants_auditevent p "
            "WHERE p.position = e.position - 1 AND p.organization_id = e.organization_id), '') "
            "WHERE position = %s AND organization_id = %s",
            place,
            organization.pk,
        )
        run(
            "UPDATE tenants_auditevent AS e SET hash = tenants_audit_hash(e) WHERE position = %s AND organization_id = %s",
            place,
            organization.pk,
        )
    run(
        "UPDATE tenants_auditchain c SET head = (SELECT hash FROM tenants_auditevent WHERE organization_id = c.id "
        "AND position = %s) WHERE id = %s",
        last,
        organization.pk,
    )


def test_a_chain_rewritten_whole_is_found_by_what_was_kept(acme: Organization, kept: Path) -> None:
    with unguarded():
        rewrite_from(acme, 4)
    assert "intact" in verify(), "it proves itself; only the kept head knows better"
    with pytest.raises(CommandError, match="1 break"):
        verify(expect=kept)


def test_what_was_added_after_the_kept_head_may_be_proved_no_further(acme: Organization, kept: Path) -> None:
    """The limit that docs/audit.md names: keep heads often."""
    with unguarded():
        rewrite_from(acme, 12)
    assert "intact" in verify(expect=kept)


def test_a_chain_that_was_kept_and_is_gone(acme: Organization, kept: Path) -> None:
    with unguarded():
        run("DELETE FROM tenants_auditevent WHERE organization_id = %s", acme.pk)
        run("DELETE FROM tenants_auditchain WHERE id = %s", acme.pk)
    assert "intact" in verify()
    with pytest.raises(CommandError, match="1 break"):
        verify(expect=kept)


def test_the_daily_log_lines_are_such_a_file(
    acme: Organization, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="leadagent.tenants.tasks"):
        log_audit_heads()
    assert len(caplog.messages) == 2
    assert f"audit head: acme chain={acme.pk} length=10 head=" in caplog.messages[0]
    file = tmp_path / "worker.log"
    file.write_text("".join(f'{{"level": "INFO", "message": "{message}"}}\n' for message in caplog.messages))
    assert "intact" in verify(expect=file)
    with unguarded():
        rewrite_from(acme, 1)
    with pytest.raises(CommandError, match="1 break"):
        verify(expect=file)


def test_a_file_without_heads_proves_nothing(acme: Organization, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("nothing here\n")
    with pytest.raises(CommandError, match="holds no heads"):
        verify(expect=empty)
    with pytest.raises(CommandError, match="cannot be read"):
        verify(expect=tmp_path / "missing.txt")


def test_it_reads_a_snapshot_and_holds_up_nobody(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that are committed while it reads are not breaks."""
    monkeypatch.setattr(proving, "_ROWS_AT_ONCE", 2)
    seen: list[int] = []

    def write_meanwhile(read: int) -> None:
        seen.append(read)

        def elsewhere() -> None:
            write(acme, 1)
            connections.close_all()

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(timeout=10)
        assert not thread.is_alive()

    proof = prove_chain(acme.pk, progress=write_meanwhile)
    assert seen == [2, 4, 6, 8, 10]
    assert (proof.break_count, proof.length) == (0, 10)
    assert AuditChain.objects.get(pk=acme.pk).length == 15
