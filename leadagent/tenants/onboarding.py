"""Creating an organisation, and the steps of the wizard that begins with it."""

from collections.abc import Collection
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.tenants import audit
from leadagent.tenants.models import AuditEvent, Membership, Organization, Role, User
from leadagent.tenants.names import suggest_slugs

# Each organisation has a free tier of its own: nobody needs more of them than this.
MAX_CREATED_PER_DAY = 5

WIZARD = {"organization": "Organisation", "ai": "AI", "key": "Key", "models": "Models", "done": "Done"}


class SlugTaken(Exception):
    """The address belongs to another organisation; `suggestions` are free."""

    def __init__(self, slug: str) -> None:
        self.suggestions = suggest_slugs(slug, is_taken=slug_is_taken)
        super().__init__(f"“{slug}” is taken.")


class TooManyOrganizations(Exception):
    def __init__(self) -> None:
        super().__init__(f"You created {MAX_CREATED_PER_DAY} organisations in one day. Try again tomorrow.")


def slug_is_taken(slug: str) -> bool:
    return Organization.objects.filter(slug=slug).exists()


@transaction.atomic
def create_organization(*, name: str, slug: str, creator: User, request: HttpRequest | None = None) -> Organization:
    """Create an organisation with `creator` as its first admin.

    `name` and `slug` have passed `tenants.names`. Raises SlugTaken, also when another
    request takes the address first, and TooManyOrganizations.
    """
    created_lately = AuditEvent.objects.filter(
        actor=creator, action="organization.created", created_at__gt=timezone.now() - timedelta(days=1)
    )
    if created_lately.count() >= MAX_CREATED_PER_DAY:
        raise TooManyOrganizations
    try:
        with transaction.atomic():
            organization = Organization.objects.create(name=name, slug=slug)
    except IntegrityError:
        raise SlugTaken(slug) from None
    Membership.objects.create(organization=organization, user=creator, role=Role.ADMIN)
    audit.record(
        "organization.created",
        organization=organization,
        actor=creator,
        target=slug,
        after={"name": name},
        request=request,
    )
    return organization


def wizard_steps(current: str, *, without: Collection[str] = ()) -> list[dict[str, str]]:
    """The wizard's progress, for `components/wizard_steps.html`: what lies before `current` is done."""
    names = [name for name in WIZARD if name not in without]
    at = names.index(current)
    states = ["done" if place < at else "current" if place == at else "todo" for place in range(len(names))]
    return [{"label": WIZARD[name], "state": state} for name, state in zip(names, states, strict=True)]
