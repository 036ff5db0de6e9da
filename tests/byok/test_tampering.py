"""Ten thousand envelopes that somebody has changed or moved: none opens.

The same ones in every run, counted by family: a family that shrinks fails the test.
"""

import base64
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from uuid import UUID

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from byok.encryption import KeyBinding, KeyUnreadable, decrypt_api_key, encrypt_api_key, key_id

# Three lengths: in base64url the last character has no, two and four bits to spare.
KEYS = ["sk-or-v1-5f2c9be1d7a04417b3e6a8c0d2wxyz"[:length] for length in (38, 37, 36)]
CURRENT, *PREVIOUS = ("5c0f91d2a7be4436" * 3 + suffix * 16 for suffix in "1234")
BINDING = KeyBinding(7, "openrouter", UUID("01930000-0000-7000-8000-000000000001"))

# How many different ones each family gives.
EXPECTED = {
    "bit_flips": 3900,
    "truncations": 845,
    "extensions": 256,
    "short_tags": 432,
    "spellings": 1914,
    "key_ids": 204,
    "versions": 78,
    "swaps": 2256,
    "transplants": 593,
    "empty_parts": 95,
    "other_letters": 1078,
    "random_letters": 1500,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A text that is put in place of a sealed key, and where."""

    text: str
    binding: KeyBinding = BINDING
    environment: str = "production"


def seal(key: str, binding: KeyBinding = BINDING) -> str:
    return encrypt_api_key(key, binding=binding)


def parts_of(envelope: str) -> tuple[str, str, bytes, bytes]:
    version, name, nonce, sealed = envelope.split(":")
    return version, name, decoded(nonce), decoded(sealed)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def joined(version: str, name: str, nonce: bytes, sealed: bytes) -> str:
    return ":".join([version, name, *(base64.urlsafe_b64encode(raw).rstrip(b"=").decode() for raw in (nonce, sealed))])


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# --- The families -------------------------------------------------------------------


def bit_flips(pick: random.Random) -> Iterator[Attempt]:
    """Every single bit of version, key id, nonce, ciphertext and tag; and pairs of bits."""
    for key in KEYS * 2:
        version, name, nonce, sealed = parts_of(seal(key))
        for bit in range(len(nonce) * 8):
            yield Attempt(joined(version, name, flipped(nonce, bit), sealed))
        for bit in range(len(sealed) * 8):
            yield Attempt(joined(version, name, nonce, flipped(sealed, bit)))
        for bit in range(len(version) * 8):
            yield Attempt(joined(flipped(version.encode(), bit).decode("latin-1"), name, nonce, sealed))
        for bit in range(len(name) * 8):
            yield Attempt(joined(version, flipped(name.encode(), bit).decode("latin-1"), nonce, sealed))
        for _ in range(50):
            first, second = pick.sample(range(len(sealed) * 8), 2)
            yield Attempt(joined(version, name, nonce, flipped(flipped(sealed, first), second)))


def truncations(pick: random.Random) -> Iterator[Attempt]:
    """The text cut at every length from both ends, nonce and ciphertext cut at every byte."""
    for key in KEYS:
        envelope = seal(key)
        version, name, nonce, sealed = parts_of(envelope)
        yield from (Attempt(envelope[:end]) for end in range(len(envelope)))
        yield from (Attempt(envelope[start:]) for start in range(1, len(envelope)))
        yield from (Attempt(joined(version, name, nonce[:end], sealed)) for end in range(len(nonce)))
        yield from (Attempt(joined(version, name, nonce, sealed[:end])) for end in range(len(sealed)))
        yield from (Attempt(joined(version, name, nonce, sealed[start:])) for start in range(1, len(sealed)))


def extensions(pick: random.Random) -> Iterator[Attempt]:
    """More bytes before and after each part, more parts."""
    for key in KEYS:
        envelope = seal(key)
        version, name, nonce, sealed = parts_of(envelope)
        for length in (1, 2, 3, 4, 8, 12, 16, 32, 64):
            for more in (bytes(length), pick.randbytes(length)):
                yield Attempt(joined(version, name, nonce + more, sealed))
                yield Attempt(joined(version, name, more + nonce, sealed))
                yield Attempt(joined(version, name, nonce, sealed + more))
                yield Attempt(joined(version, name, nonce, more + sealed))
        for text in (":", ":AAAA", "::", "A", "AAAA", "\x00", envelope, ":" + envelope):
            yield Attempt(envelope + text)
            yield Attempt(text + envelope)


def short_tags(pick: random.Random) -> Iterator[Attempt]:
    """Tags of 4 to 15 bytes, which AES-GCM knows too, alone and with the text they would fit."""
    for key in KEYS * 4:
        version, name, nonce, sealed = parts_of(seal(key))
        text, tag = sealed[:-16], sealed[-16:]
        for length in range(4, 16):
            yield Attempt(joined(version, name, nonce, text + tag[:length]))
            yield Attempt(joined(version, name, nonce, text + tag[-length:]))
            yield Attempt(joined(version, name, nonce, text + tag[:length] + bytes(16 - length)))


def spellings(pick: random.Random) -> Iterator[Attempt]:
    """The same bytes written otherwise: padding, white space, stray last bits, the other alphabet."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for key in KEYS:
        version, name, *encoded = seal(key).split(":")
        for number, text in enumerate(encoded):
            others = [text + padding for padding in ("=", "==", "===", "====", "=\n")]
            others += [
                text[:at] + letter + text[at:] for at, letter in product(range(len(text) + 1), "\n\r\t =\x00\u200b")
            ]
            spare = {0: 0, 2: 4, 3: 2}[len(text) % 4]
            others += [text[:-1] + alphabet[alphabet.index(text[-1]) ^ bits] for bits in range(1, 1 << spare)]
            for other in others:
                yield Attempt(":".join([version, name, *encoded[:number], other, *encoded[number + 1 :]]))
    # One with both letters that the alphabets spell differently.
    while True:
        version, name, nonce, sealed = seal(KEYS[0]).split(":")
        if "-" in sealed and "_" in sealed:
            break
    yield Attempt(":".join([version, name, nonce, sealed.replace("-", "+")]))
    yield Attempt(":".join([version, name, nonce, sealed.replace("_", "/")]))
    yield Attempt(":".join([version, name, nonce, sealed.replace("-", "+").replace("_", "/")]))


def key_ids(pick: random.Random) -> Iterator[Attempt]:
    """The names of other secrets that are configured, of none, and other spellings of the right one."""
    for key in KEYS:
        version, name, nonce, sealed = parts_of(seal(key))
        others = [key_id(secret) for secret in PREVIOUS]
        others += [pick.randbytes(4).hex() for _ in range(50)]
        others += ["", " ", name.upper() + " ", " " + name, name + " ", name[:-1], name + "0", name * 2, "0x" + name]
        others += [name[::-1], name + "\x00", name + "\n", "*", "%", name.replace(name[0], "\uff10", 1)]
        yield from (Attempt(joined(version, other, nonce, sealed)) for other in others)


def versions(pick: random.Random) -> Iterator[Attempt]:
    others = ["v0", "v2", "v3", "v10", "v11", "V1", "1", "v", "", " v1", "v1 ", "v1\n", "v01", "v1.0", "v-1", "v1\x00"]
    others += ["v\u0661", "v\u00b9", "v\uff11", "\uff561", "v\u2081", "V\u0661", "v1v1", "\ufeffv1", "v1\u200b", "*"]
    for key in KEYS:
        _, name, nonce, sealed = parts_of(seal(key))
        yield from (Attempt(joined(other, name, nonce, sealed)) for other in others)


def swaps(pick: random.Random) -> Iterator[Attempt]:
    """Genuine envelopes in the place of each other: rows, organisations, providers, purposes, environments."""
    places = [
        (KeyBinding(organization, provider, UUID(int=row), purpose), environment)
        for organization, provider, row, purpose, environment in product(
            (7, 8),
            ("openrouter", "openai", "anthropic"),
            (1, 2),
            ("api_key", "superseded_key"),
            ("production", "staging"),
        )
    ]
    sealed = []
    for binding, environment in places:
        with override_settings(ENCRYPTION_ENVIRONMENT=environment):
            sealed.append(seal(KEYS[0], binding))
    for (number, envelope), (other, (binding, environment)) in product(enumerate(sealed), enumerate(places)):
        if number != other:
            yield Attempt(envelope, binding, environment)


def transplants(pick: random.Random) -> Iterator[Attempt]:
    """Nonce, ciphertext and tag of two genuine envelopes of the same row, put together."""
    for key in KEYS * 3:
        version, name, nonce, sealed = parts_of(seal(key))
        _, _, other_nonce, other = parts_of(seal(key))
        yield Attempt(joined(version, name, other_nonce, sealed))
        yield Attempt(joined(version, name, nonce, other))
        yield Attempt(joined(version, name, sealed[:12], sealed))
        for at in range(1, len(sealed)):
            yield Attempt(joined(version, name, nonce, sealed[:at] + other[at:]))
        yield from (
            Attempt(joined(version, name, nonce[:at] + other_nonce[at:], sealed)) for at in range(1, len(nonce))
        )


def empty_parts(pick: random.Random) -> Iterator[Attempt]:
    """Each choice of parts left empty or left out, doubled or in another order."""
    for key in KEYS:
        parts = seal(key).split(":")
        for choice in product((True, False), repeat=4):
            if not all(choice):
                yield Attempt(":".join(part if kept else "" for part, kept in zip(parts, choice, strict=True)))
                yield Attempt(":".join(part for part, kept in zip(parts, choice, strict=True) if kept))
        for number in range(4):
            yield Attempt(":".join([*parts[: number + 1], *parts[number:]]))
            yield Attempt(":".join(parts[number + 1 :] + parts[: number + 1]) if number < 3 else ":".join(parts[::-1]))


def other_letters(pick: random.Random) -> Iterator[Attempt]:
    """Digits and letters of other scripts that look alike or count as the same; line breaks."""
    scripts = [0x0660, 0x0966, 0xFF10, 0x1D7D8]
    for key in KEYS:
        envelope = seal(key)
        for at, letter in enumerate(envelope):
            if letter in "0123456789":
                yield from (Attempt(envelope[:at] + chr(zero + int(letter)) + envelope[at + 1 :]) for zero in scripts)
            elif letter.isascii() and letter.isalpha():
                yield Attempt(envelope[:at] + chr(ord(letter) + 0xFEE0) + envelope[at + 1 :])
            elif letter == ":":
                yield Attempt(envelope[:at] + "\uff1a" + envelope[at + 1 :])
            yield Attempt(envelope[:at] + "\n" + envelope[at:])
            yield Attempt(envelope[:at] + "\r\n" + envelope[at:])
        yield Attempt(envelope + "\n")


def random_letters(pick: random.Random) -> Iterator[Attempt]:
    """One letter replaced, taken away or added, anywhere."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=:+/ \n\x00é"
    for number in range(1500):
        envelope = seal(KEYS[number % 3])
        at = pick.randrange(len(envelope))
        # One that differs from what stands there and behind it: added before it, it would only repeat it.
        letter = pick.choice([other for other in alphabet if other != envelope[at]])
        kept = (1, 0)[number % 2]
        yield Attempt(envelope[:at] + letter + envelope[at + kept :])


FAMILIES: list[Callable[[random.Random], Iterator[Attempt]]] = [
    bit_flips, truncations, extensions, short_tags, spellings, key_ids, versions, swaps, transplants, empty_parts,
    other_letters, random_letters,
]  # fmt: skip


@pytest.fixture
def ring(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several live secrets, and nonces that are the same in every run."""
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = CURRENT, PREVIOUS
    settings.ENCRYPTION_ENVIRONMENT = "production"
    monkeypatch.setattr("byok.encryption.secrets.token_bytes", random.Random("nonces").randbytes)


def refusal_of(attempt: Attempt) -> KeyUnreadable | None:
    """How opening it is refused; None where it opens."""
    with override_settings(ENCRYPTION_ENVIRONMENT=attempt.environment):
        try:
            decrypt_api_key(attempt.text, binding=attempt.binding)
        except KeyUnreadable as error:
            return error
    return None


def test_none_of_ten_thousand_changed_envelopes_opens(
    ring: None, record_property: Callable[[str, object], None]
) -> None:
    tried: Counter[str] = Counter()
    opened: list[tuple[str, Attempt]] = []
    seen: set[Attempt] = set()
    for family in FAMILIES:
        for attempt in family(random.Random(family.__name__)):
            if attempt not in seen:
                seen.add(attempt)
                tried[family.__name__] += 1
                refusal = refusal_of(attempt)
                if refusal is None:
                    opened.append((family.__name__, attempt))
                    continue
                assert refusal.__context__ is None
                assert "sk-" not in str(refusal)
    record_property("mutated envelopes", dict(tried))
    record_property("mutated envelopes opened", f"{len(opened)} of {len(seen)}")
    print(f"{len(opened)} of {len(seen):,} mutated envelopes opened")
    assert opened == []
    assert dict(tried) == EXPECTED
    assert len(seen) >= 10_000


def test_the_unchanged_ones_do_open(ring: None) -> None:
    # Or the test above would prove nothing.
    assert [refusal_of(Attempt(seal(key))) for key in KEYS] == [None] * 3
    elsewhere = replace(BINDING, purpose="superseded_key")
    with override_settings(ENCRYPTION_ENVIRONMENT="staging"):
        moved = seal(KEYS[0], elsewhere)
    assert refusal_of(Attempt(moved, elsewhere, "staging")) is None


_PART = st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()))


@given(st.one_of(st.text(), st.tuples(st.just("v1"), st.just(key_id(CURRENT)), _PART, _PART).map(":".join)))
@hypothesis_settings(max_examples=400, deadline=None, database=None, derandomize=True)
def test_no_text_at_all_opens(text: str) -> None:
    with (
        override_settings(ENCRYPTION_SECRET=CURRENT, ENCRYPTION_SECRET_PREVIOUS=PREVIOUS),
        pytest.raises(KeyUnreadable),
    ):
        decrypt_api_key(text, binding=BINDING)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=600))
@hypothesis_settings(max_examples=200, deadline=None, database=None, derandomize=True)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    with override_settings(ENCRYPTION_SECRET=CURRENT, ENCRYPTION_SECRET_PREVIOUS=PREVIOUS):
        assert decrypt_api_key(seal(text), binding=BINDING) == text
