"""Sealed keys open where they belong and nowhere else."""

import base64
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from pytest_django import Settings

from byok.encryption import (
    KeyBinding,
    KeyUnreadable,
    decrypt_api_key,
    encrypt_api_key,
    fingerprint,
    key_id,
    mask_api_key,
)
from tests.byok.keys import KEYS

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


def mutations(envelope: str, other: str) -> Iterator[str]:
    parts, others = envelope.split(":"), other.split(":")
    # Every cut, every part from another envelope, every part left out or doubled.
    yield from (envelope[:end] for end in range(len(envelope)))
    yield from (":".join([*parts[:i], others[i], *parts[i + 1 :]]) for i in (2, 3))
    yield from (":".join([*parts[:i], *parts[i + 1 :]]) for i in range(4))
    yield from (":".join([*parts[: i + 1], *parts[i:]]) for i in range(4))
    # Every bit of nonce, ciphertext and tag.
    for part in (2, 3):
        raw = base64.urlsafe_b64decode(parts[part] + "==")
        for bit in range(len(raw) * 8):
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            text = base64.urlsafe_b64encode(flipped).rstrip(b"=").decode()
            yield ":".join([*parts[:part], text, *parts[part + 1 :]])
        # Short tags and long ones.
        for length in (*range(len(raw)), len(raw) + 1):
            text = base64.urlsafe_b64encode((raw + b"\0")[:length]).rstrip(b"=").decode()
            yield ":".join([*parts[:part], text, *parts[part + 1 :]])
        # Other spellings of the same bytes: padding, white space, the other alphabet, stray last bits.
        same = parts[part]
        for text in (same + "=", same + "==", same + "\n", " " + same, same[:4] + "\n" + same[4:], same + "A"):
            yield ":".join([*parts[:part], text, *parts[part + 1 :]])
        if same != (standard := same.replace("-", "+").replace("_", "/")):
            yield ":".join([*parts[:part], standard, *parts[part + 1 :]])
    pick = random.Random(1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=:+/ \n\x00é"
    for _ in range(1700):
        letters = list(envelope)
        letters[pick.randrange(len(letters))] = pick.choice(alphabet)
        yield "".join(letters)


def test_nothing_that_was_changed_opens() -> None:
    envelope, other = (encrypt_api_key(KEY, binding=BINDING) for _ in range(2))
    tried = set(mutations(envelope, other)) - {envelope}
    assert len(tried) > 2000
    for text in tried:
        with pytest.raises(KeyUnreadable) as refused:
            decrypt_api_key(text, binding=BINDING)
        assert KEY not in str(refused.value)
        assert refused.value.__cause__ is None


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


def test_a_mask_shows_prefix_and_last_four() -> None:
    assert mask_api_key(prefix="sk-or-v1-", last4="wxyz") == "sk-or-v1-••••••••••wxyz"
