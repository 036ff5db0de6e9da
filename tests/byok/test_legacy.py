"""The old system's sealed keys open here, and nothing that differs from them by a bit."""

import random
import re
from pathlib import Path

import pytest

from byok.encryption import KeyUnreadable
from byok.migrating.keys import InvalidLegacySecret, open_legacy_key, parse_legacy_secret
from tests.byok.keys import KEYS
from tests.byok.old_system import OLD_SECRET, seal

SECRET = bytes.fromhex(OLD_SECRET)
# Written by the old system's own `encryptApiKey` (lib/encryption.ts without its types) under Node 20.20.2,
# with ENCRYPTION_SECRET = OLD_SECRET.
FROM_NODE = {
    "openrouter": "989b9a82ce9f64a0c01b1ab5266bb6b9:c9be6f259d0d359b7da8b63a60e76634:"
    "3134240d7b6359c172e93c7f85e8ec5760fec6bb4c3fae65a60152dc37f6fec7616a61a58ab9a8",
    "anthropic": "0d4218640ef5efccaf751169e2f126b8:69caf77e2c89941a13adda798a71bc4c:"
    "d82d9aea153c3520014796889d489e3cd32fb07e6557130f88f47dc3151d26e904fdeb1da40496d6a11c57",
}


@pytest.mark.parametrize("provider", sorted(FROM_NODE))
def test_an_envelope_made_by_node_opens(provider: str) -> None:
    assert open_legacy_key(FROM_NODE[provider], secret=SECRET) == KEYS[provider]


@pytest.mark.parametrize("key", ["k", KEYS["openai"], "sk-ant-" + "x" * 400, "ключ"])
def test_what_the_old_algorithm_sealed_opens(key: str) -> None:
    assert open_legacy_key(seal(key), secret=SECRET) == key


def test_capital_letters_and_a_line_break_at_the_end_are_the_same_envelope() -> None:
    assert open_legacy_key(FROM_NODE["openrouter"].upper() + "\n", secret=SECRET) == KEYS["openrouter"]


def test_no_changed_bit_opens() -> None:
    envelope = FROM_NODE["openrouter"]
    opened = []
    for place, digit in enumerate(envelope):
        if digit == ":":
            continue
        for bit in range(4):
            changed = f"{envelope[:place]}{int(digit, 16) ^ 1 << bit:x}{envelope[place + 1 :]}"
            try:
                opened.append(open_legacy_key(changed, secret=SECRET))
            except KeyUnreadable:
                continue
    assert opened == []


def test_nothing_cut_swapped_or_lengthened_opens() -> None:
    chance = random.Random(7)
    for _ in range(2000):
        iv, tag, sealed = FROM_NODE[chance.choice(["openrouter", "anthropic"])].split(":")
        cut = 2 * chance.randint(1, 15)
        bad = chance.choice(
            [
                f"{iv[:-cut]}:{tag}:{sealed}",
                # Node would take a tag of 12 bytes, which is 32 bits easier to forge.
                f"{iv}:{tag[:-cut]}:{sealed}",
                f"{iv}:{tag}:{sealed[:-cut]}",
                f"{iv}:{tag}:{sealed}{'00' * (cut // 2)}",
                f"{iv}00:{tag}:{sealed}",
                f"{iv}:{tag}00:{sealed}",
                f"{tag}:{iv}:{sealed}",
                f"{iv}:{sealed}:{tag}",
            ]
        )
        with pytest.raises(KeyUnreadable):
            open_legacy_key(bad, secret=SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "::",
        "sk-or-v1-5f2c9be1d7a04417b3e6a8c0d2wxyz",
        "00:00",
        "00:00:00:00",
        "zz" * 16 + ":" + "00" * 16 + ":00",
        # bytes.fromhex would skip the spaces, Node would stop at them.
        "00 " * 16 + ":" + "00" * 16 + ":00",
        "0" * 31 + ":" + "0" * 32 + ":00",
        "0" * 32 + ":" + "0" * 32 + ":",
        "0" * 32 + ":" + "0" * 32 + ":000",
        "0" * 32 + ":" + "0" * 32 + ":" + "00" * 1001,
        "v1:0011aabb:AAAA:AAAA",
        "٠" * 32 + ":" + "0" * 32 + ":00",
    ],
)
def test_what_is_no_envelope_is_refused(text: str) -> None:
    with pytest.raises(KeyUnreadable) as refused:
        open_legacy_key(text, secret=SECRET)
    assert len(text) < 5 or text not in str(refused.value)


def test_another_secret_does_not_open_it_and_the_error_tells_no_bytes() -> None:
    with pytest.raises(KeyUnreadable) as refused:
        open_legacy_key(FROM_NODE["openrouter"], secret=bytes(32))
    assert str(refused.value) == "It was changed, or sealed with another secret."
    assert refused.value.__context__ is None


def test_what_is_no_text_is_unreadable() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealed = AESGCM(SECRET).encrypt(bytes(16), b"\xff\xfe", None)
    with pytest.raises(KeyUnreadable) as refused:
        open_legacy_key(f"{'00' * 16}:{sealed[-16:].hex()}:{sealed[:-16].hex()}", secret=SECRET)
    # A decoding error holds all the bytes that it could not decode.
    assert refused.value.__context__ is None


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "0" * 128, "g" * 64, " ".join(["00"] * 22)])
def test_a_secret_is_64_hexadecimal_characters(text: str) -> None:
    with pytest.raises(InvalidLegacySecret) as refused:
        parse_legacy_secret(text)
    assert not text or text not in str(refused.value)
    assert parse_legacy_secret(f" {OLD_SECRET.upper()}\n") == SECRET


def test_only_the_import_opens_them() -> None:
    """Everything else reads the new format only: an old envelope in a row would never be opened by a call."""
    root = Path(__file__).parents[2]
    importers = {
        str(path.relative_to(root))
        for package in ("byok", "leadagent", "usage")
        for path in (root / package).rglob("*.py")
        if re.search(
            r"^\s*(?:from byok\.migrating\.keys import|import byok\.migrating\.keys\b|from byok\.migrating import .*\bkeys\b)",
            path.read_text(),
            re.M,
        )
    }
    assert importers == {"byok/migrating/config.py", "byok/management/commands/import_tenants.py"}
    users = {
        str(path.relative_to(root))
        for package in ("byok", "leadagent", "usage")
        for path in (root / package).rglob("*.py")
        if re.search(r"byok\.migrating\.(?:config|importing) import", path.read_text())
    }
    assert users == {
        "byok/migrating/importing.py",
        "byok/migrating/first_admins.py",
        "byok/management/commands/import_tenants.py",
    }
