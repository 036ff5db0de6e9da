"""Names of organisations and the addresses (slugs) made from them. Pure: no database."""

import re
from collections.abc import Callable
from secrets import token_hex

from django.core.exceptions import ValidationError
from django.utils.text import slugify

SLUG_LENGTH = 50
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

# Words that would read as a part of the product rather than as a customer.
RESERVED_SLUGS = frozenset(
    {
        "account", "accounts", "admin", "api", "app", "assets", "auth", "billing", "dashboard", "docs", "health",
        "healthz", "help", "home", "in", "invitations", "lead-agent", "leadagent", "leads", "login", "logout",
        "me", "models", "new", "null", "o", "onboarding", "organization", "organizations", "platform", "readyz",
        "root", "sandbox", "security", "settings", "signup", "static", "status", "support", "system", "undefined",
        "usage", "www",
    }
)  # fmt: skip


def validate_name(value: str) -> None:
    """Refuse line breaks and other control characters: names end up in mail subjects."""
    if any(not character.isprintable() for character in value):
        raise ValidationError("Use one line of plain text.", code="control_characters")


def validate_slug(value: str) -> None:
    """Lower-case letters, digits and single hyphens, two characters or more, and not a reserved word."""
    if not _SLUG.fullmatch(value) or not 2 <= len(value) <= SLUG_LENGTH:
        raise ValidationError(
            f"Use 2 to {SLUG_LENGTH} lower-case letters and digits, with single hyphens between them.", code="shape"
        )
    if value in RESERVED_SLUGS:
        raise ValidationError(f"“{value}” is kept for the product itself. Choose another address.", code="reserved")


def slug_from_name(name: str) -> str:
    """The address a name suggests: "Acme & Söhne" gives "acme-sohne"; "" where nothing is left of it."""
    return slugify(name).replace("_", "-").strip("-")[:SLUG_LENGTH].strip("-")


def suggest_slugs(base: str, *, is_taken: Callable[[str], bool], count: int = 3) -> list[str]:
    """Free addresses close to `base`, best first."""
    base = base or "team"
    endings = ["team", "hq", *map(str, range(2, 100)), *(token_hex(3) for _ in range(count))]
    candidates = [f"{base[: SLUG_LENGTH - 7].strip('-')}-{ending}" for ending in endings]
    found: list[str] = []
    for candidate in candidates:
        if candidate not in RESERVED_SLUGS and not is_taken(candidate):
            found.append(candidate)
        if len(found) == count:
            break
    return found
