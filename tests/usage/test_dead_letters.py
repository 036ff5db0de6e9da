"""Events that were put aside: support sees them and has them tried again, traced."""

import pytest
from django.test import Client
from django.urls import reverse

from leadagent.tenants.models import AuditEvent, Organization
from tests.factories import UserFactory
from tests.usage.factories import finished
from usage.ledger import ingest
from usage.models import AIUsage, DeadLetter, UsageInbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def support() -> Client:
    client = Client()
    client.force_login(UserFactory(email="support@leadagent.test", is_staff=True))
    return client


@pytest.fixture
def letter(organization: Organization) -> DeadLetter:
    event = finished(organization)
    UsageInbox.objects.create(event_id=event.id, kind="finished", payload=event.payload() | {"operation": "x" * 41})
    ingest.drain()
    return DeadLetter.objects.get()


def retry(client: Client, letter: DeadLetter) -> int:
    return client.post(reverse("admin:usage_deadletter_retry", args=[letter.pk])).status_code


def test_support_sees_what_was_put_aside_and_why(support: Client, letter: DeadLetter) -> None:
    listed = support.get(reverse("admin:usage_deadletter_changelist"))
    assert str(letter.event_id) in listed.text
    assert "value too long" in listed.text
    page = support.get(reverse("admin:usage_deadletter_change", args=[letter.pk]))
    assert reverse("admin:usage_deadletter_retry", args=[letter.pk]) in page.text


def test_an_event_that_is_tried_again_becomes_a_row_once_it_can(
    support: Client, letter: DeadLetter, organization: Organization
) -> None:
    assert retry(support, letter) == 302
    ingest.drain()
    again = DeadLetter.objects.get()
    assert again.reason == letter.reason, "nothing has changed, so it comes back"
    DeadLetter.objects.update(payload=letter.payload | {"operation": "research"})
    assert retry(support, again) == 302
    ingest.drain()
    assert AIUsage.objects.get().operation == "research"
    assert not DeadLetter.objects.exists()
    trace = AuditEvent.objects.filter(action="support.event_retried")
    assert [(e.organization_id, e.actor_label, e.target) for e in trace] == [
        (organization.pk, "support@leadagent.test", str(letter.event_id))
    ] * 2


def test_other_figures_are_not_tried_again(support: Client, letter: DeadLetter) -> None:
    DeadLetter.objects.update(kind="conflict")
    page = support.get(reverse("admin:usage_deadletter_change", args=[letter.pk]))
    assert "retry" not in page.text
    assert retry(support, letter) == 404
    assert not UsageInbox.objects.exists()


def test_only_support_tries_again_and_only_by_post(support: Client, letter: DeadLetter) -> None:
    address = reverse("admin:usage_deadletter_retry", args=[letter.pk])
    assert support.get(address).status_code == 405
    somebody = Client()
    somebody.force_login(UserFactory())
    assert somebody.post(address).status_code in {302, 403}
    assert DeadLetter.objects.count() == 1


def test_an_event_without_an_owner_can_be_tried_too(support: Client, letter: DeadLetter) -> None:
    DeadLetter.objects.update(payload=letter.payload | {"organization_id": "nobody"})
    assert support.get(reverse("admin:usage_deadletter_change", args=[letter.pk])).status_code == 200
    assert retry(support, letter) == 302
    assert AuditEvent.objects.get(action="support.event_retried").organization is None
