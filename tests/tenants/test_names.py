import pytest
from django.core.exceptions import ValidationError

from leadagent.tenants.names import (
    RESERVED_SLUGS,
    SLUG_LENGTH,
    slug_from_name,
    suggest_slugs,
    validate_name,
    validate_slug,
)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme"),
        ("Acme & Söhne GmbH", "acme-sohne-gmbh"),
        ("snake_case Ltd", "snake-case-ltd"),
        ("日本語", ""),
        ("x" * 80, "x" * SLUG_LENGTH),
    ],
)
def test_a_name_suggests_an_address(name: str, slug: str) -> None:
    assert slug_from_name(name) == slug


@pytest.mark.parametrize("slug", ["acme", "a1", "acme-2", "x" * SLUG_LENGTH])
def test_good_addresses_pass(slug: str) -> None:
    validate_slug(slug)


@pytest.mark.parametrize(
    "slug", ["", "a", "Acme", "-acme", "acme-", "a--b", "a_b", "a b", "ä1", "acme\n", "x" * (SLUG_LENGTH + 1)]
)
def test_other_shapes_are_refused(slug: str) -> None:
    with pytest.raises(ValidationError, match="lower-case"):
        validate_slug(slug)


@pytest.mark.parametrize("slug", ["admin", "api", "settings", "onboarding"])
def test_reserved_words_are_refused(slug: str) -> None:
    with pytest.raises(ValidationError, match="kept for the product"):
        validate_slug(slug)


@pytest.mark.parametrize("name", ["Acme\nBcc: a@b.test", "Acme\r", "Acme\x00", "Acme\u2028x"])
def test_names_are_one_line(name: str) -> None:
    with pytest.raises(ValidationError, match="one line"):
        validate_name(name)


def test_suggestions_are_free_and_valid() -> None:
    taken = {"acme-team", "acme-2"}
    assert suggest_slugs("acme", is_taken=taken.__contains__) == ["acme-hq", "acme-3", "acme-4"]
    for slug in suggest_slugs("x" * SLUG_LENGTH, is_taken=lambda slug: False):
        validate_slug(slug)
        assert slug not in RESERVED_SLUGS


def test_suggestions_never_run_out() -> None:
    suggestions = suggest_slugs("acme", is_taken=lambda slug: len(slug) < len("acme-123456"))
    assert len(suggestions) == 3
