"""Sealed keys open where they belong and nowhere else."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from byok import encryption
from byok.encryption import (
    KeyBinding,
    KeyUnreadable,
    check_key_ring,
    decrypt_api_key,
    encrypt_api_key,
    fingerprint,
    has_fingerprint,
    key_id,
    mask_api_key,
    reseal_api_key,
)
from tests.byok.keys import KEYS
from tests.project.files import ROOT

KEY = KEYS["openrouter"]
OLD, NEW = "ab12" * 16, "0f3c" * 16
BINDING = KeyBinding(7, "openrouter", UUID("01930000-0000-7000-8000-000000000001"))


@pytest.fixture(autouse=True)
def secrets(settings: Settings) -> None:
    settings.ENCRYPTION_SECRET = OLD
    settings.ENCRYPTION_SECRET_PREVIOUS = []


@pytest.mark.parametrize("key", [*KEYS.values(), "x", "k" * 500])
def test_what_is_sealed_opens_again(key: str) -> None:
    sealed = encrypt_api_key(key, binding=BINDING)
    assert decrypt_api_key(sealed, binding=BINDING) == key
    assert len(key) < 8 or key not in sealed


def test_the_envelope_names_version_secret_nonce_and_ciphertext() -> None:
    version, name, nonce, sealed = encrypt_api_key(KEY, binding=BINDING).split(":")
    assert version == "v1"
    assert re.fullmatch(r"[0-9a-f]{8}", name)
    assert name == key_id(OLD)
    assert name not in OLD
    assert len(base64.urlsafe_b64decode(nonce + "==")) == 12
    # A full tag of 16 bytes.
    assert len(base64.urlsafe_b64decode(sealed + "==")) == len(KEY) + 16


def test_no_two_seals_are_alike() -> None:
    assert len({encrypt_api_key(KEY, binding=BINDING) for _ in range(50)}) == 50


def test_there_is_no_sealing_of_nothing() -> None:
    with pytest.raises(ValueError, match="no key"):
        encrypt_api_key("", binding=BINDING)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(BINDING, organization_id=8),
        replace(BINDING, provider="openai"),
        replace(BINDING, credential_id=UUID("01930000-0000-7000-8000-000000000002")),
        replace(BINDING, purpose="webhook"),
        # Parts must not run into each other.
        replace(BINDING, organization_id=7, provider='openrouter","'),
    ],
)
def test_moved_to_another_row_it_does_not_open(elsewhere: KeyBinding) -> None:
    with pytest.raises(KeyUnreadable):
        decrypt_api_key(encrypt_api_key(KEY, binding=BINDING), binding=elsewhere)


def test_a_copy_of_production_does_not_open_in_staging(settings: Settings) -> None:
    settings.ENCRYPTION_ENVIRONMENT = "production"
    sealed = encrypt_api_key(KEY, binding=BINDING)
    settings.ENCRYPTION_ENVIRONMENT = "staging"
    with pytest.raises(KeyUnreadable):
        decrypt_api_key(sealed, binding=BINDING)


def _frames(error: BaseException) -> Iterator[dict[str, Any]]:
    """The variables of every frame of ours that an error report could show."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == encryption.__file__:
            yield trace.tb_frame.f_locals
        trace = trace.tb_next


def sealed_bytes(raw: bytes) -> str:
    """An envelope of the current secret around any bytes, as `encrypt_api_key` would never make it."""
    cipher = AESGCM(encryption._derive(OLD, BINDING.purpose))
    nonce = b"n" * 12
    sealed = cipher.encrypt(nonce, raw, BINDING.associated_data())
    return ":".join(
        ["v1", key_id(OLD), *(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (nonce, sealed))]
    )


def test_well_sealed_bytes_that_are_no_text_are_unreadable() -> None:
    assert decrypt_api_key(sealed_bytes(b"plain"), binding=BINDING) == "plain"
    with pytest.raises(KeyUnreadable):
        decrypt_api_key(sealed_bytes(b"sk-\xff\xfe"), binding=BINDING)
    with pytest.raises(KeyUnreadable):
        decrypt_api_key(sealed_bytes(b""), binding=BINDING)


@pytest.mark.parametrize(
    "given", [None, b"v1:a:b:c", 7, ["v1", "a", "b", "c"], "", "v1:é:ß:ü", "v1:\ud800:\ud800:\ud800"]
)
def test_what_is_no_envelope_is_unreadable(given: Any) -> None:
    with pytest.raises(KeyUnreadable):
        decrypt_api_key(given, binding=BINDING)


@pytest.mark.parametrize("name", ["é" * 8, "\ud800" * 8, "", "0" * 8, "nul\x00nul\x00"])
def test_an_unknown_key_id_of_any_letters_is_unreadable(name: str) -> None:
    version, _, nonce, sealed = encrypt_api_key(KEY, binding=BINDING).split(":")
    with pytest.raises(KeyUnreadable, match="not configured"):
        decrypt_api_key(":".join([version, name, nonce, sealed]), binding=BINDING)


def test_a_text_that_utf8_cannot_hold_is_refused_without_quoting_it() -> None:
    with pytest.raises(ValueError, match="no key") as refused:
        encrypt_api_key("sk-\ud800", binding=BINDING)
    assert refused.value.__context__ is None


def test_an_error_report_would_show_neither_secret_nor_key() -> None:
    sealed = encrypt_api_key(KEY, binding=BINDING)
    broken = [
        (sealed, replace(BINDING, organization_id=8)),
        (sealed[:-4], BINDING),
        (sealed.replace(key_id(OLD), "00000000"), BINDING),
        (sealed_bytes(KEY.encode() + b"\xff"), BINDING),
    ]
    for text, binding in broken:
        with pytest.raises(KeyUnreadable) as refused:
            decrypt_api_key(text, binding=binding)
        # Nothing behind it: neither cause nor context.
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None
        shown = repr([refused.value, *_frames(refused.value)])
        assert BINDING.provider in shown  # The frames were looked at.
        for secret in (OLD, KEY, KEY[4:20]):
            assert secret not in shown


@pytest.mark.parametrize("purpose", ["key id", "fingerprint"])
def test_what_is_derived_for_something_else_seals_nothing(purpose: str) -> None:
    binding = replace(BINDING, purpose=purpose)
    with pytest.raises(ValueError, match="Nothing is sealed for"):
        encrypt_api_key(KEY, binding=binding)


def test_sealing_anew_takes_the_current_secret_and_its_fingerprint(settings: Settings) -> None:
    sealed = encrypt_api_key(KEY, binding=BINDING)
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = NEW, [OLD]
    resealed = reseal_api_key(sealed, binding=BINDING)
    settings.ENCRYPTION_SECRET_PREVIOUS = []
    assert decrypt_api_key(resealed.sealed_key, binding=BINDING) == KEY
    assert (resealed.key_id, resealed.fingerprint) == (key_id(NEW), fingerprint(KEY))
    with pytest.raises(KeyUnreadable):
        reseal_api_key(sealed, binding=BINDING)


# --- The key ring -------------------------------------------------------------------

# Found by search: their names are the same 32 bits.
SAME_NAME = (
    "b7263198f2317679e74437c038735e7c70cbea15b5396733b8f4df13079e738b",
    "486439b5565e05992cbec35800716167a576241c8f1f2109169cc462dd789c29",
)


def test_secrets_that_can_be_told_apart_are_accepted(settings: Settings) -> None:
    settings.ENCRYPTION_SECRET_PREVIOUS = [NEW, SAME_NAME[0]]
    check_key_ring()


@pytest.mark.parametrize(
    ("current", "previous", "sentence"),
    [
        (OLD, [NEW, OLD], "also ENCRYPTION_SECRET: leave it out"),
        (OLD, [NEW, NEW], "the same secret twice: leave one"),
        (SAME_NAME[0], [NEW, SAME_NAME[1]], "have the same key id ffdfff97: make the new one again"),
        (OLD, list(SAME_NAME), "have the same key id ffdfff97: make the new one again"),
    ],
)
def test_secrets_that_cannot_be_told_apart_stop_the_start(
    settings: Settings, current: str, previous: list[str], sentence: str
) -> None:
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = current, previous
    with pytest.raises(ImproperlyConfigured, match=sentence) as refused:
        check_key_ring()
    assert not [secret for secret in (current, *previous) if secret in str(refused.value)]


def test_every_start_looks_at_the_key_ring() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {"ENCRYPTION_SECRET": SAME_NAME[0], "ENCRYPTION_SECRET_PREVIOUS": SAME_NAME[1]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Two encryption secrets have the same key id ffdfff97" in done.stderr


def test_previous_secrets_open_old_envelopes_and_the_current_one_seals(settings: Settings) -> None:
    sealed = encrypt_api_key(KEY, binding=BINDING)
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = NEW, ["cd" * 16 + "01" * 16, OLD]
    assert decrypt_api_key(sealed, binding=BINDING) == KEY
    assert encrypt_api_key(KEY, binding=BINDING).split(":")[1] == key_id(NEW) != key_id(OLD)


def test_a_secret_that_is_gone_is_named_as_the_reason(settings: Settings) -> None:
    sealed = encrypt_api_key(KEY, binding=BINDING)
    settings.ENCRYPTION_SECRET = NEW
    with pytest.raises(KeyUnreadable, match="secret that sealed this key is not configured") as refused:
        decrypt_api_key(sealed, binding=BINDING)
    assert OLD not in str(refused.value)
    assert sealed not in str(refused.value)


def test_djangos_secret_key_has_no_part_in_it(settings: Settings) -> None:
    sealed, print_before = encrypt_api_key(KEY, binding=BINDING), fingerprint(KEY)
    settings.SECRET_KEY = "another" * 10
    assert decrypt_api_key(sealed, binding=BINDING) == KEY
    assert fingerprint(KEY) == print_before


def test_the_fingerprint_is_keyed_and_finds_the_same_key_again(settings: Settings) -> None:
    first = fingerprint(KEY)
    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert fingerprint(KEY) == first != fingerprint(KEY + "x")
    settings.ENCRYPTION_SECRET = NEW
    assert fingerprint(KEY) != first
    assert not has_fingerprint(KEY, first)
    settings.ENCRYPTION_SECRET_PREVIOUS = [OLD]
    assert has_fingerprint(KEY, first)
    assert has_fingerprint(KEY, fingerprint(KEY))
    assert not has_fingerprint(KEY + "x", first)
    assert not has_fingerprint(KEY, "é")


def test_a_mask_shows_prefix_and_last_four() -> None:
    assert mask_api_key(prefix="sk-or-v1-", last4="wxyz") == "sk-or-v1-••••••••••wxyz"
