"""Slack and webhook: what is sent, signed and retried, and that their secrets stay sealed."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from byok.encryption import envelope_head
from byok.keys.alert_secrets import rewrap_alert_secrets
from leadagent.egress import Answer, EgressFailed, EgressRefused
from leadagent.tenants.models import AuditEvent, Organization
from tests.factories import OrganizationFactory
from usage.alerting.alerts import deliver_waiting, raise_alert
from usage.alerting.cost_alert import CostAlertChoice
from usage.alerting.settings import AlertChoice, renew_webhook_secret, save_alert_settings
from usage.models import AlertDelivery, AlertSecret

pytestmark = pytest.mark.django_db

SLACK = "https://hooks.slack.com/services/T0/B0/notarealsecret"
WEBHOOK = "https://hooks.example.com/leadagent"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Wire:
    """Stands in for the network: keeps what was posted, answers as told."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, bytes, dict[str, str]]] = []
        self.answer: Answer | Exception = Answer(200, b"ok")

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        self.posted.append((url, body, headers))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr("leadagent.egress.post", made.post)
    return made


def save(organization: Organization, **choice: Any) -> str:
    plain: dict[str, Any] = {"forecast": True, "error_spike": True, "webhook_url": "", "slack_url": ""}
    return save_alert_settings(
        organization, AlertChoice(cost_alert=CostAlertChoice(email="money@acme.test"), **(plain | choice))
    )


def alarm(organization: Organization, key: str = "x", text: str = "Costs <rise> & rise") -> None:
    raise_alert(organization, kind="threshold", key=key, title=f"About {organization.name}", text=text)


def deliveries() -> dict[str, tuple[str, str]]:
    return {row.channel: (row.state, row.problem) for row in AlertDelivery.objects.all()}


def test_a_webhook_can_check_who_sent_it(organization: Organization, wire: Wire) -> None:
    secret = save(organization, webhook_url=WEBHOOK)
    alarm(organization)
    assert deliver_waiting() == 2
    [(url, body, headers)] = wire.posted
    assert url == WEBHOOK
    signed = headers["X-LeadAgent-Timestamp"].encode() + b"." + body
    assert headers["X-LeadAgent-Signature"] == "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert (told["organization"], told["title"], told["type"]) == ("acme", "About Acme", "threshold")
    assert told["id"] == headers["X-LeadAgent-Delivery"]


def test_slack_gets_its_words_escaped(organization: Organization, wire: Wire) -> None:
    save(organization, slack_url=SLACK)
    alarm(organization)
    deliver_waiting()
    [(url, body, _)] = wire.posted
    assert url == SLACK
    assert "Costs &lt;rise&gt; &amp; rise" in json.loads(body)["text"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(500, b""), "it answered with status 500"),
        (Answer(302, b""), "it answered with status 302"),
        (EgressFailed("it did not answer in time"), "it did not answer in time"),
        (EgressRefused("The address leads into a private network."), "The address leads into a private network."),
    ],
)
def test_what_is_not_taken_is_sent_again_under_the_same_id(
    organization: Organization, wire: Wire, answer: Any, problem: str
) -> None:
    save(organization, webhook_url=WEBHOOK)
    with time_machine.travel(NOW, tick=False):
        alarm(organization)
        wire.answer = answer
        assert deliver_waiting() == 1, "the mail does not wait for it"
        assert deliveries() == {"email": ("sent", ""), "webhook": ("waiting", problem)}
        assert deliver_waiting() == 0
    with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
        wire.answer = Answer(204, b"")
        assert deliver_waiting() == 1
    first, second = (headers["X-LeadAgent-Delivery"] for _, _, headers in wire.posted)
    assert first == second
    assert deliveries()["webhook"] == ("sent", "")


def test_one_alert_per_key_and_organisation(organization: Organization, wire: Wire) -> None:
    for _ in range(2):
        alarm(organization)
    other = OrganizationFactory()
    alarm(other)
    assert AlertDelivery.objects.count() == 2


def test_secrets_are_sealed_for_their_row_and_not_told(organization: Organization, wire: Wire) -> None:
    secret = save(organization, webhook_url=WEBHOOK, slack_url=SLACK)
    other = OrganizationFactory()
    save(other, webhook_url=WEBHOOK)
    rows = list(AlertSecret.objects.filter(organization=organization))
    assert all(row.sealed.startswith("v1:") for row in rows)
    stored = [str(value) for row in AlertSecret.objects.values() for value in row.values()]
    stored += [f"{event.before} {event.after}" for event in AuditEvent.objects.all()]
    assert not [text for text in stored if secret in text or "notarealsecret" in text]

    moved = AlertSecret.objects.get(organization=other)
    moved.sealed = next(row.sealed for row in rows if row.channel == "webhook")
    moved.save()
    alarm(other)
    deliver_waiting()
    state, problem = AlertDelivery.objects.filter(channel="webhook").values_list("state", "problem").get()
    assert (state, "can no longer be opened" in problem) == ("waiting", True)
    assert wire.posted == []


def test_a_new_secret_takes_the_old_ones_place(organization: Organization, wire: Wire) -> None:
    first = save(organization, webhook_url=WEBHOOK)
    assert save(organization, webhook_url=WEBHOOK + "2") == "", "shown once"
    second = renew_webhook_secret(organization)
    assert first != second
    assert AlertSecret.objects.get().last4 == second[-4:]
    save(organization)
    assert not AlertSecret.objects.exists()
    assert renew_webhook_secret(organization) == ""


def test_a_channel_is_taken_out(organization: Organization, wire: Wire) -> None:
    save(organization, slack_url=SLACK)
    alarm(organization)
    save(organization)
    assert AlertSecret.objects.count() == 1, "empty keeps it"
    save(organization, slack_url=None)
    deliver_waiting()
    assert wire.posted == []
    assert deliveries()["slack"] == ("waiting", "the channel was taken out of the settings")


def test_rotation_rewraps_them(organization: Organization, wire: Wire, settings: Settings) -> None:
    save(organization, slack_url=SLACK)
    settings.ENCRYPTION_SECRET_PREVIOUS = [settings.ENCRYPTION_SECRET]
    settings.ENCRYPTION_SECRET = "5e" * 32
    assert rewrap_alert_secrets() == (1, 0)
    assert rewrap_alert_secrets() == (0, 0)
    settings.ENCRYPTION_SECRET_PREVIOUS = []
    assert AlertSecret.objects.get().sealed.startswith(envelope_head())
    alarm(organization)
    deliver_waiting()
    assert wire.posted[0][0] == SLACK
