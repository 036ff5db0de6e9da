"""A digest goes out once to each admin, also where a run dies between two mails, and a negotiated price counts by date."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.core import mail
from django.utils import timezone

from byok.catalog.notices import tell_of_changes
from byok.config.saving import save_ai_config
from byok.models import CatalogChange, CatalogDigest, CatalogSync, ChangeKind, DatedPrice
from leadagent.tenants.models import Organization, Role
from tests.byok.keys import KEYS
from tests.factories import MembershipFactory

MODEL = "gpt-4o-mini"


def repriced() -> None:
    CatalogChange.objects.create(
        sync=CatalogSync.objects.create(source="openrouter"),
        kind=ChangeKind.REPRICED,
        route="openai",
        model_id=MODEL,
        before={"input_price": "0.15"},
        after={"input_price": "0.3"},
    )


@pytest.fixture
def acme(organization: Organization) -> Organization:
    for name in ("first", "second"):
        MembershipFactory(organization=organization, role=Role.ADMIN, user__email=f"{name}@acme.test")
    save_ai_config(organization, provider="openai", chat_model=MODEL, api_key=KEYS["openai"])
    return organization


class Killed(BaseException):
    """The process ends here."""


class DiesAtTheSecond:
    """A mail server under which the sender is killed once, when the second mail is handed over."""

    taken: ClassVar[list[Any]] = []
    is_armed: ClassVar[bool] = True

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def send_messages(self, messages: list[Any]) -> int:
        if self.taken and type(self).is_armed:
            type(self).is_armed = False
            raise Killed
        self.taken.extend(messages)
        return len(messages)


@pytest.fixture
def mortal(settings: Any) -> Iterator[list[Any]]:
    settings.EMAIL_BACKEND = f"{__name__}.{DiesAtTheSecond.__name__}"
    DiesAtTheSecond.taken.clear()
    DiesAtTheSecond.is_armed = True
    yield DiesAtTheSecond.taken
    DiesAtTheSecond.taken.clear()


@pytest.mark.django_db(transaction=True)
def test_a_kill_between_two_mails_repeats_neither(acme: Organization, mortal: list[Any]) -> None:
    repriced()
    with pytest.raises(Killed):
        tell_of_changes()
    assert CatalogDigest.objects.get().sent_at is None
    assert tell_of_changes() == 1
    assert [message.to for message in mortal] == [["first@acme.test"], ["second@acme.test"]]
    assert len({message.extra_headers["Message-ID"] for message in mortal}) == 2
    assert CatalogDigest.objects.get().sent_at is not None
    assert tell_of_changes() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("begins", "ends", "mails"),
    [
        (-10, None, 0),
        # A contract with a last day is in force until then.
        (-10, 90, 0),
        (-10, -1, 2),
        (60, None, 2),
    ],
    ids=["open", "until later", "over", "from later"],
)
def test_a_negotiated_price_counts_while_it_is_in_force(
    acme: Organization, begins: int, ends: int | None, mails: int
) -> None:
    now = timezone.now()
    DatedPrice.objects.create(
        organization=acme,
        route="openai",
        model_id=MODEL,
        input_price=1,
        source="negotiated",
        effective_from=now + timedelta(days=begins),
        effective_until=None if ends is None else now + timedelta(days=ends),
    )
    repriced()
    assert tell_of_changes() == mails
    assert len(mail.outbox) == mails
