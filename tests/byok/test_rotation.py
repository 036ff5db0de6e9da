"""`manage.py rotate_keys`: every stored key comes under the current secret, and nobody's change is lost."""

import io
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from byok.encryption import KeyUnreadable, decrypt_api_key, encrypt_api_key, fingerprint, key_id
from byok.keys import rotation
from byok.keys.rotation import Progress, rotate
from byok.keys.stored import remove_api_key, store_key, undo_replacement
from byok.models import ProviderCredential, SealingSecret, SupersededKey
from leadagent.tenants.models import AuditEvent, Organization
from tests.at_once import at_once
from tests.byok.keys import KEYS
from tests.factories import OrganizationFactory

pytestmark = pytest.mark.django_db

OLDER, OLD, NEW = (digits * 16 for digits in ("9e41", "ab12", "0f3c"))


@pytest.fixture(autouse=True)
def ring(settings: Settings) -> None:
    """Keys are saved under the old secret until `switch` is called."""
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = OLD, []


@pytest.fixture
def switch(settings: Settings) -> Callable[[], None]:
    def to_the_new_one() -> None:
        settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = NEW, [OLD, OLDER]

    return to_the_new_one


def key_of(organization: Organization, provider: str = "openai") -> str:
    return f"{KEYS[provider]}{organization.pk:06}"


def save(organization: Organization, provider: str = "openai", key: str = "") -> ProviderCredential:
    return store_key(organization, provider, key or key_of(organization, provider), prefix="sk-")


def run(*arguments: str) -> tuple[int, str]:
    """Exit code, and what the person reads: both streams and the last sentence."""
    output = io.StringIO()
    try:
        call_command("rotate_keys", *arguments, stdout=output, stderr=output, no_color=True)
    except CommandError as error:
        return error.returncode, f"{output.getvalue()}{error}"
    return 0, output.getvalue()


def opened(row: ProviderCredential | SupersededKey) -> str:
    return decrypt_api_key(row.sealed_key, binding=row.binding)


def everything() -> list[Any]:
    models = (ProviderCredential, SupersededKey, SealingSecret, AuditEvent)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def rotated(organization: Organization) -> list[Any]:
    rows = AuditEvent.objects.filter(organization=organization, action="encryption.rotated")
    return [row.after for row in rows.order_by("pk")]


# --- What it does -------------------------------------------------------------------


def test_every_key_comes_under_the_current_secret(settings: Settings, switch: Callable[[], None]) -> None:
    organizations = [OrganizationFactory() for _ in range(7)]
    for organization in organizations:
        save(organization)
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = OLDER, [OLD]
    for organization in organizations[:3]:
        save(organization, "anthropic")
    # Replaced: the key before it is stored too.
    save(organizations[0], "openai", "sk-proj-another-key-of-the-first")
    switch()
    save(organizations[6], "openrouter")
    code, said = run("--batch", "2")
    assert code == 0, said
    assert "12 processed: 11 rewrapped, 1 already current, 0 changed meanwhile, 0 failed" in said
    settings.ENCRYPTION_SECRET_PREVIOUS = []
    for row in ProviderCredential.objects.exclude(organization=organizations[0], provider="openai"):
        assert opened(row) == key_of(row.organization, row.provider)
        assert (row.key_id, row.fingerprint) == (key_id(NEW), fingerprint(key_of(row.organization, row.provider)))
    replaced = SupersededKey.objects.get()
    assert opened(replaced) == key_of(organizations[0])
    assert (replaced.key_id, replaced.fingerprint) == (key_id(NEW), fingerprint(key_of(organizations[0])))
    assert opened(replaced.credential) == "sk-proj-another-key-of-the-first"
    # And it can still be brought back.
    assert opened(undo_replacement(organizations[0], "openai")) == key_of(organizations[0])


def test_what_is_sealed_anew_for_the_undo_gets_its_fingerprint_anew(switch: Callable[[], None]) -> None:
    organization = OrganizationFactory()
    save(organization)
    switch()
    save(organization, "openai", "sk-proj-another-key-of-the-first")
    kept = SupersededKey.objects.get()
    assert (kept.key_id, kept.fingerprint) == (key_id(NEW), fingerprint(key_of(organization)))
    SupersededKey.objects.update(fingerprint="of the old secret")
    back = undo_replacement(organization, "openai")
    assert (back.key_id, back.fingerprint) == (key_id(NEW), fingerprint(key_of(organization)))


def test_only_what_the_secret_decides_changes(switch: Callable[[], None]) -> None:
    row = save(OrganizationFactory())
    ProviderCredential.objects.update(status="rejected", last_used_at=timezone.now(), report={"a": 1})
    before: dict[str, Any] = {**ProviderCredential.objects.values().get(pk=row.pk)}
    switch()
    assert run()[0] == 0
    after: dict[str, Any] = {**ProviderCredential.objects.values().get(pk=row.pk)}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"sealed_key", "key_id", "fingerprint"}


def test_the_envelope_decides_and_not_the_column_beside_it(settings: Settings, switch: Callable[[], None]) -> None:
    row = save(OrganizationFactory())
    ProviderCredential.objects.update(key_id=key_id(NEW))
    switch()
    assert run("--check")[0] == 1
    code, said = run()
    assert code == 0
    assert "1 rewrapped" in said
    settings.ENCRYPTION_SECRET_PREVIOUS = []
    row.refresh_from_db()
    assert opened(row) == key_of(row.organization)


def test_each_organisation_learns_of_it_once(switch: Callable[[], None]) -> None:
    first, second, untouched = (OrganizationFactory() for _ in range(3))
    save(first)
    save(first, "openai", "sk-proj-another-key-of-the-first")
    save(first, "anthropic")
    save(second)
    switch()
    save(untouched)
    assert run("--batch", "1")[0] == 0
    told = {"from": [key_id(OLD)], "to": key_id(NEW)}
    assert rotated(first) == [{"rewrapped": 3, **told}]
    assert rotated(second) == [{"rewrapped": 1, **told}]
    assert rotated(untouched) == []
    event = AuditEvent.objects.get(organization=second, action="encryption.rotated")
    assert (event.actor, event.actor_label) == (None, "system")
    assert run()[0] == 0
    assert len(rotated(first)) == 1


def test_it_says_when_the_old_secrets_can_go(switch: Callable[[], None]) -> None:
    save(OrganizationFactory())
    switch()
    _, said = run()
    for name in (key_id(OLD), key_id(OLDER)):
        assert f"No stored key needs {name} any more: remove it from ENCRYPTION_SECRET_PREVIOUS." in said


def test_a_tenth_at_a_time_is_told_without_a_terminal(switch: Callable[[], None]) -> None:
    for _ in range(30):
        save(OrganizationFactory())
    switch()
    _, said = run("--batch", "1")
    assert [line for line in said.splitlines() if " of 30 keys" in line] == [
        f"{done} of 30 keys" for done in range(1, 31, 3)
    ]
    assert "\r" not in said


def test_a_terminal_gets_a_bar(switch: Callable[[], None]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    save(OrganizationFactory())
    switch()
    screen = Terminal()
    call_command("rotate_keys", stdout=io.StringIO(), stderr=screen)
    assert f"\r[{'#' * 30}] 1 of 1 keys" in screen.getvalue()


@pytest.mark.parametrize("arguments", [("--batch", "0"), ("--batch", "-5")])
def test_a_batch_has_at_least_one_key(arguments: tuple[str, ...]) -> None:
    code, said = run(*arguments)
    assert code == 1
    assert "--batch must be 1 or more" in said


# --- What does not open -------------------------------------------------------------


def test_what_does_not_open_is_named_and_does_not_stop_the_rest(switch: Callable[[], None]) -> None:
    organizations = [OrganizationFactory(slug=f"org-{number}") for number in range(4)]
    rows = [save(organization) for organization in organizations]
    save(organizations[3], "openai", "sk-proj-another-key-of-the-last")
    damaged = ProviderCredential.objects.filter(pk=rows[1].pk)
    damaged.update(sealed_key=rows[0].sealed_key)
    ProviderCredential.objects.filter(pk=rows[2].pk).update(sealed_key="00ff:11ee:22dd")
    SupersededKey.objects.update(sealed_key=rows[0].sealed_key)
    kept = everything()[1]
    switch()
    code, said = run("--batch", "2")
    assert code == 1
    assert "5 processed: 2 rewrapped, 0 already current, 0 changed meanwhile, 3 failed" in said
    assert f"Not opened: credential {rows[1].pk} (openai) of org-1: The sealed key was changed" in said
    assert f"Not opened: credential {rows[2].pk} (openai) of org-2: This is not a sealed key" in said
    assert f"Not opened: the replaced key of credential {rows[3].pk} (openai) of org-3: The sealed" in said
    assert f"2 keys still sealed by {key_id(OLD)}: keep it" in said
    assert f"No stored key needs {key_id(OLDER)}" in said
    # Not a letter of a key or an envelope.
    for part in (KEYS["openai"][8:20], rows[0].sealed_key[12:30], "00ff:11ee"):
        assert part not in said
    assert everything()[1] == kept
    damaged_row = damaged.get()
    assert (damaged_row.sealed_key, damaged_row.status) == (rows[0].sealed_key, rows[1].status)


def test_a_secret_that_is_not_configured_is_called_unknown(settings: Settings) -> None:
    save(OrganizationFactory())
    settings.ENCRYPTION_SECRET = NEW
    code, said = run()
    assert code == 1
    assert "The secret that sealed this key is not configured." in said
    code, said = run("--check")
    assert code == 1
    assert f"{key_id(OLD)}  unknown secret  1 key" in said


# --- --check and --dry-run ----------------------------------------------------------


def test_a_dry_run_writes_nothing_and_finds_what_would_fail(switch: Callable[[], None]) -> None:
    good, bad = (save(OrganizationFactory()) for _ in range(2))
    switch()
    before = everything()
    code, said = run("--dry-run")
    assert code == 0
    assert "2 processed: 2 would be rewrapped, 0 already current" in said
    assert everything() == before
    ProviderCredential.objects.filter(pk=bad.pk).update(sealed_key=good.sealed_key)
    before = everything()
    code, said = run("--dry-run")
    assert code == 1
    assert "2 processed: 1 would be rewrapped, 0 already current, 0 changed meanwhile, 1 failed" in said
    assert everything() == before


def test_check_counts_by_secret_and_ends_well_when_nothing_is_left(
    switch: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        save(OrganizationFactory())
    switch()
    save(OrganizationFactory())
    before = everything()
    with monkeypatch.context() as patch:
        patch.setattr("byok.encryption._opened", None)  # Opens nothing.
        code, said = run("--check")
    assert code == 1
    assert f"{key_id(NEW)}  current secret  1 key  (not seen in use yet)" in said
    assert f"{key_id(OLD)}  earlier secret  2 keys" in said
    assert f"{key_id(OLDER)}  earlier secret  0 keys" in said
    assert "2 keys not under the current secret: run `manage.py rotate_keys`." in said
    assert everything() == before
    assert run()[0] == 0
    code, said = run("--check")
    assert code == 0
    assert f"{key_id(NEW)}  current secret  3 keys  (in use for 0 days)" in said
    assert f"No stored key needs {key_id(OLD)} any more" in said


def test_check_shows_a_secret_that_is_due(switch: Callable[[], None]) -> None:
    switch()
    SealingSecret.objects.create(key_id=key_id(NEW), first_used_at=timezone.now() - timedelta(days=91))
    assert "(in use for 91 days, due to be changed)" in run("--check")[1]


# --- Beside others ------------------------------------------------------------------


def between_read_and_write(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """`act` once, when the first batch has been read and sealed and is about to be written."""
    write, waiting = rotation._write, [act]

    def acting(*arguments: Any) -> None:
        while waiting:
            waiting.pop()()
        write(*arguments)

    monkeypatch.setattr("byok.keys.rotation._write", acting)


def test_a_key_that_was_replaced_meanwhile_is_not_ours(
    switch: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    row, other = save(OrganizationFactory()), save(OrganizationFactory())
    switch()
    between_read_and_write(monkeypatch, lambda: save(row.organization, "openai", "sk-proj-new-key-of-the-first"))
    code, said = run()
    assert code == 0, said
    assert "2 processed: 1 rewrapped, 0 already current, 1 changed meanwhile, 0 failed" in said
    row.refresh_from_db()
    other.refresh_from_db()
    assert opened(row) == "sk-proj-new-key-of-the-first"
    assert opened(row.superseded) == key_of(row.organization)
    assert opened(other) == key_of(other.organization)
    assert rotated(row.organization) == []


def test_a_key_that_was_removed_meanwhile_does_not_come_back(
    switch: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = save(OrganizationFactory())
    switch()
    between_read_and_write(monkeypatch, lambda: remove_api_key(row.organization, "openai"))
    code, said = run()
    assert code == 0
    assert "0 rewrapped, 0 already current, 1 changed meanwhile" in said
    assert not ProviderCredential.objects.exists()


def test_keys_that_a_process_with_the_old_secret_stores_meanwhile_are_found(
    settings: Settings, switch: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed, row = OrganizationFactory(), save(OrganizationFactory())

    def old_process() -> None:
        settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = OLD, [NEW]
        save(passed)
        save(row.organization, "openai", "sk-proj-new-key-of-the-first")
        switch()

    switch()
    between_read_and_write(monkeypatch, old_process)
    code, said = run("--batch", "1")
    assert code == 0, said
    # The replaced key and the one that took its place, and that of an organisation already passed.
    assert "3 processed: 3 rewrapped, 0 already current, 0 changed meanwhile, 0 failed" in said
    settings.ENCRYPTION_SECRET_PREVIOUS = []
    assert {opened(found) for found in ProviderCredential.objects.all()} == {
        key_of(passed),
        "sk-proj-new-key-of-the-first",
    }
    assert opened(SupersededKey.objects.get()) == key_of(row.organization)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_finishes_the_batch_and_says_how_to_go_on(
    switch: Callable[[], None], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    for _ in range(5):
        save(OrganizationFactory())
    switch()
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    between_read_and_write(monkeypatch, lambda: os.kill(os.getpid(), number))
    code, said = run("--batch", "2")
    assert code == 128 + number
    assert "2 processed: 2 rewrapped, 0 already current, 0 changed meanwhile, 0 failed" in said
    assert f"3 keys still sealed by {key_id(OLD)}: keep it in ENCRYPTION_SECRET_PREVIOUS." in said
    assert "Stopped with 3 keys left. Nothing is half done: run `manage.py rotate_keys` to go on." in said
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers
    code, said = run("--batch", "2")
    assert code == 0
    assert "5 processed: 3 rewrapped, 2 already current" in said


@pytest.fixture
def held(transactional_db: None) -> Iterator[Callable[[ProviderCredential], Callable[[], None]]]:
    """`held(row)`: another connection holds the row, until what is returned is called."""
    others = []

    def hold(row: ProviderCredential) -> Callable[[], None]:
        other = connection.copy()
        others.append(other)
        other.set_autocommit(False)
        other.cursor().execute("SELECT 1 FROM byok_providercredential WHERE id = %s FOR UPDATE", [row.pk])
        return other.rollback

    yield hold
    for other in others:
        other.close()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_others_hold_is_not_waited_for_and_done_later(
    held: Callable[[ProviderCredential], Callable[[], None]],
    switch: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row, *others = [save(OrganizationFactory()) for _ in range(3)]
    switch()
    let_go = held(row)
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(ProviderCredential.objects.filter(key_id=key_id(NEW)).count())
        let_go()

    monkeypatch.setattr("byok.keys.rotation.time.sleep", pause)
    done = rotate(batch=10)
    assert pauses == [len(others)]
    assert (done.rewrapped, done.missed, done.failed) == (3, set(), {})


@pytest.mark.django_db(transaction=True)
def test_a_row_that_stays_held_is_left_and_said_to_be_left(
    held: Callable[[ProviderCredential], Callable[[], None]],
    switch: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row, _ = (save(OrganizationFactory()) for _ in range(2))
    switch()
    monkeypatch.setattr("byok.keys.rotation._PAUSE_SECONDS", 0)
    held(row)
    code, said = run()
    assert code == 1
    assert "2 processed: 1 rewrapped, 0 already current, 1 changed meanwhile, 0 failed" in said
    assert "1 key left: stored with an earlier secret meanwhile, or held by others all the time" in said


@pytest.mark.django_db(transaction=True)
def test_two_rotations_side_by_side_share_the_work(settings: Settings, switch: Callable[[], None]) -> None:
    organizations = [OrganizationFactory() for _ in range(60)]
    for organization in organizations:
        for provider in ("openai", "anthropic"):
            save(organization, provider)
    switch()
    ends = at_once(lambda: rotate(batch=7), lambda: rotate(batch=7))
    done = [end for end in ends if isinstance(end, Progress)]
    assert len(done) == 2, ends
    assert sum(end.rewrapped for end in done) == 120
    assert not any(end.failed for end in done)
    settings.ENCRYPTION_SECRET_PREVIOUS = []
    for row in ProviderCredential.objects.select_related("organization"):
        assert opened(row) == key_of(row.organization, row.provider)
    # Whoever did it, each key was told once.
    assert [sum(event["rewrapped"] for event in rotated(organization)) for organization in organizations] == [2] * 60


@pytest.mark.django_db(transaction=True)
def test_the_trace_and_the_keys_stand_or_fall_together(
    switch: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = save(OrganizationFactory())
    switch()

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("byok.keys.rotation._record", killed)
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        rotate(batch=10)
    before = row.sealed_key
    row.refresh_from_db()
    assert row.sealed_key == before
    assert rotated(row.organization) == []


def test_without_its_secret_an_old_envelope_stays_shut(settings: Settings) -> None:
    row = save(OrganizationFactory())
    settings.ENCRYPTION_SECRET = NEW
    with pytest.raises(KeyUnreadable):
        opened(row)
    settings.ENCRYPTION_SECRET_PREVIOUS = [OLD]
    assert opened(row) == key_of(row.organization)
    assert encrypt_api_key("x", binding=row.binding).startswith(f"v1:{key_id(NEW)}:")
