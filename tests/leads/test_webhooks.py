"""Webhooks of outcomes: written with the outcome, signed, tried again, told once, and without personal data."""

import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from byok.keys.alert_secrets import rewrap_alert_secrets
from byok.keys.inventory import take_inventory
from leadagent.egress import Answer, EgressFailed, EgressRefused
from leadagent.leads.emails.deciding import approve_draft
from leadagent.leads.emails.sending import send_draft
from leadagent.leads.inbox.intake import take_in
from leadagent.leads.models import (
    Category,
    Lead,
    LeadEvent,
    LeadSource,
    LeadWebhook,
    Qualification,
    StepName,
    WebhookDelivery,
)
from leadagent.leads.outcomes.events import note_outcome
from leadagent.leads.outcomes.webhooks import (
    MOST,
    TESTS_PER_DAY,
    TooMany,
    add_webhook,
    change_webhook,
    deliver_due,
    renew_secret,
    send_test,
)
from leadagent.leads.running.leases import complete_step, fail_step
from leadagent.leads.running.run_state import StepFailure
from leadagent.leads.running.workflow import resume_run
from leadagent.tenants.models import AuditEvent, Membership, Organization, Role
from tests.factories import MembershipFactory
from tests.leads.factories import OUTCOMES, LeadFactory, claimed, draft_under_review, run_for
from usage.alerting.delivering import MAX_ATTEMPTS

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
URL = "https://hooks.example.com/leads"
FIELDS = {
    "name": "Ann Private",
    "email": "ann@private.example",
    "company": "Private Ltd",
    "phone": "+44 1",
    "message": "Secret plans",
}


class Wire:
    """Stands in for the network: keeps what was posted, answers as told, by address if asked to."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, bytes, dict[str, str]]] = []
        self.answer: Answer | Exception = Answer(204, b"")
        self.answers: dict[str, Answer | Exception] = {}

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        self.posted.append((url, body, dict(headers)))
        answer = self.answers.get(url, self.answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body, _ in self.posted]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr("leadagent.egress.post", made.post)
    return made


@pytest.fixture
def everything(admin: Membership) -> tuple[LeadWebhook, str]:
    return add_webhook(admin.organization, url=URL, events=LeadEvent.values, by=admin.user)


def kinds() -> list[str]:
    return list(WebhookDelivery.objects.order_by("created_at", "pk").values_list("event", flat=True))


# --- What is told ----------------------------------------------------------------------


def test_each_outcome_is_told_once(admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire) -> None:
    lead, _ = take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    run = lead.runs.get()
    for _ in range(3):
        claim = claimed(run)
        complete_step(claim, OUTCOMES[claim.name])
    draft = run.draft
    approve_draft(draft, subject="Hello", body="Hello", by=admin.user, version=1)
    assert send_draft(draft.pk)
    assert not send_draft(draft.pk)

    assert kinds() == ["lead.created", "lead.qualified", "lead.answered"]
    assert deliver_due() == 3
    assert deliver_due() == 0
    assert [told["type"] for told in wire.told] == kinds()
    assert [told["lead"]["status"] for told in wire.told] == ["working", "working", "answered"]
    assert wire.told[-1]["lead"]["category"] == "QUALIFIED"


def test_a_run_that_stops_needs_attention_each_time_it_does(
    organization: Organization, everything: tuple[LeadWebhook, str]
) -> None:
    run = run_for(LeadFactory(organization=organization))
    stop = StepFailure("invalid_key", "Save a new key.", permanent=True, needs_admin=True)
    fail_step(claimed(run), stop)
    resume_run(run)
    fail_step(claimed(run), stop)

    assert kinds() == ["lead.needs_attention", "lead.needs_attention"]


def test_another_verdict_than_qualified_is_not_told(
    organization: Organization, everything: tuple[LeadWebhook, str]
) -> None:
    run = run_for(LeadFactory(organization=organization), done=1)
    verdict = Qualification(Category.SUPPORT, "Broken.", 0.8)
    complete_step(claimed(run), replace(OUTCOMES[StepName.QUALIFICATION], qualification=verdict))
    assert kinds() == []


def test_only_what_was_chosen_and_only_at_home(admin: Membership, wire: Wire) -> None:
    add_webhook(admin.organization, url=URL, events=["lead.answered"], by=admin.user)
    elsewhere = MembershipFactory(role=Role.ADMIN)
    add_webhook(elsewhere.organization, url=URL, events=LeadEvent.values, by=elsewhere.user)

    take_in(admin.organization, FIELDS, source=LeadSource.FORM)

    assert kinds() == []


def test_what_is_rolled_back_is_not_told(admin: Membership, everything: tuple[LeadWebhook, str]) -> None:
    with transaction.atomic():
        take_in(admin.organization, FIELDS, source=LeadSource.FORM)
        assert kinds() == ["lead.created"]
        transaction.set_rollback(True)
    assert kinds() == []
    assert not Lead.objects.exists()


def test_the_same_outcome_noted_twice_is_one_message(
    organization: Organization, everything: tuple[LeadWebhook, str]
) -> None:
    lead = LeadFactory(organization=organization)
    for _ in range(2):
        note_outcome(lead, LeadEvent.CREATED, key=lead.pk)
    assert kinds() == ["lead.created"]


def test_a_repeated_call_with_one_idempotency_key_is_one_lead_and_one_message(
    admin: Membership, everything: tuple[LeadWebhook, str]
) -> None:
    for _ in range(2):
        take_in(admin.organization, FIELDS, source=LeadSource.API, idempotency_key="order-1")
    assert kinds() == ["lead.created"]


def test_no_personal_data_leaves(admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire) -> None:
    lead, _ = take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    deliver_due()

    [(url, body, headers)] = wire.posted
    sent = body.decode() + json.dumps(headers)
    for private in (*FIELDS.values(), "Ann", "private.example", "Secret"):
        assert private not in sent
    assert url == URL
    told = json.loads(body)
    assert set(told) == {"id", "type", "organization", "created_at", "lead"}
    assert set(told["lead"]) == {"id", "status", "category", "source", "created_at", "url"}
    assert told["lead"]["id"] == str(lead.pk)
    assert told["lead"]["category"] is None


# --- How it is delivered ---------------------------------------------------------------


def test_only_an_address_that_may_have_them_gets_the_reasons(
    admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire
) -> None:
    add_webhook(
        admin.organization,
        url="https://crm.example.com/",
        events=[LeadEvent.QUALIFIED, LeadEvent.CREATED],
        with_reasons=True,
        by=admin.user,
    )
    run_for(LeadFactory(organization=admin.organization), done=2)
    deliver_due()

    bodies = {url: json.loads(body) for url, body, _ in wire.posted}
    assert "qualification" not in bodies[URL]
    told = bodies["https://crm.example.com/"]["qualification"]
    assert (told["category"], told["reason"], told["confidence"]) == ("QUALIFIED", "They want to buy.", 0.9)
    assert told["reasons"][0] == {
        "statement": "It is a maker of gears.",
        "quote": "They make gears",
        "source": "report",
    }
    assert told["reasons"][2]["quote"] is None


def test_who_lets_reasons_leave_is_in_the_audit_log(admin: Membership, signed_in: SignIn) -> None:
    webhook, _ = add_webhook(admin.organization, url=URL, events=[LeadEvent.CREATED], by=admin.user)
    where = reverse("leads:webhook", args=["acme", webhook.pk])

    signed_in(admin).post(where, {"url": URL, "events": LeadEvent.CREATED.value, "with_reasons": "on"})

    webhook.refresh_from_db()
    assert webhook.with_reasons
    changed = AuditEvent.objects.get(action="webhook.changed")
    assert changed.before is not None
    assert changed.after is not None
    assert (changed.before["with_reasons"], changed.after["with_reasons"]) == (False, True)


def test_it_is_signed_as_the_docs_say(admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire) -> None:
    _, secret = everything
    take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    deliver_due()

    [(_, body, headers)] = wire.posted
    made = hmac.new(secret.encode(), headers["X-LeadAgent-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert headers["X-LeadAgent-Signature"] == f"v1={made.hexdigest()}"
    assert headers["X-LeadAgent-Delivery"] == json.loads(body)["id"] == str(WebhookDelivery.objects.get().pk)


@pytest.mark.parametrize(
    "answer",
    [Answer(500, b""), Answer(302, b""), Answer(404, b""), EgressFailed("it did not answer in time"),
     EgressRefused("The address leads into a private network.")],
)  # fmt: skip
def test_what_is_not_taken_is_tried_again_with_the_same_body(
    admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire, answer: Answer | Exception
) -> None:
    take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    wire.answer = answer
    assert deliver_due() == 0
    row = WebhookDelivery.objects.get()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.problem
    assert deliver_due() == 0, "not before its time"
    assert len(wire.posted) == 1

    wire.answer = Answer(200, b"")
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert deliver_due() == 1
    assert wire.posted[0][1] == wire.posted[1][1]
    assert wire.posted[0][2]["X-LeadAgent-Delivery"] == wire.posted[1][2]["X-LeadAgent-Delivery"]
    row.refresh_from_db()
    assert (row.state, row.attempts, row.problem) == ("sent", 2, "")


def test_an_address_that_never_takes_anything_is_given_up(
    admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire
) -> None:
    take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    wire.answer = Answer(500, b"")
    for days in range(MAX_ATTEMPTS + 3):
        with time_machine.travel(timezone.now() + timedelta(days=days), tick=False):
            deliver_due()
    row = WebhookDelivery.objects.get()
    assert (row.state, row.attempts, len(wire.posted)) == ("failed", MAX_ATTEMPTS, MAX_ATTEMPTS)


def test_a_silent_address_holds_up_nobody_else(admin: Membership, wire: Wire) -> None:
    good = "https://good.example.com/"
    add_webhook(admin.organization, url=URL, events=["lead.created"], by=admin.user)
    add_webhook(admin.organization, url=good, events=["lead.created"], by=admin.user)
    for _ in range(4):
        take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    wire.answers[URL] = EgressFailed("it did not answer in time")

    assert deliver_due() == 4

    assert [url for url, _, _ in wire.posted].count(URL) == 1
    assert [url for url, _, _ in wire.posted].count(good) == 4


@pytest.mark.django_db(transaction=True)
def test_ten_workers_send_one(wire: Wire) -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    add_webhook(admin.organization, url=URL, events=["lead.created"], by=admin.user)
    take_in(admin.organization, FIELDS, source=LeadSource.FORM)

    def work(_: int) -> int:
        try:
            return deliver_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(work, range(10))) == 1
    assert len(wire.posted) == 1


def test_old_history_goes_and_what_waits_stays(
    admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire
) -> None:
    for _ in range(2):
        take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    deliver_due()
    waiting = WebhookDelivery.objects.order_by("pk")[0]
    later = timezone.now() + timedelta(days=40)
    WebhookDelivery.objects.filter(pk=waiting.pk).update(state="waiting", next_try_at=later + timedelta(days=1))
    with time_machine.travel(later):
        deliver_due()
    assert [row.pk for row in WebhookDelivery.objects.all()] == [waiting.pk]


# --- Secrets ---------------------------------------------------------------------------


def test_secrets_are_sealed_for_their_row_and_sealed_anew_with_the_others(
    admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire
) -> None:
    webhook, secret = everything
    assert secret.startswith("whsec_")
    assert secret not in str(list(LeadWebhook.objects.values()))
    assert secret not in str(list(AuditEvent.objects.values()))
    assert webhook.last4 == secret[-4:]
    other, _ = add_webhook(admin.organization, url=URL, events=["lead.created"], by=admin.user)
    LeadWebhook.objects.filter(pk=other.pk).update(sealed=webhook.sealed)

    row = send_test(LeadWebhook.objects.select_related("organization").get(pk=other.pk))

    assert "can no longer be opened" in row.problem
    assert wire.posted == []
    LeadWebhook.objects.filter(pk=other.pk).delete()
    LeadWebhook.objects.filter(pk=webhook.pk).update(sealed="v1:00000000:x:y")
    assert rewrap_alert_secrets() == (0, 1), "it is looked at with the alerts'"
    assert take_inventory().unknown == ["00000000"], "nobody is told that its secret can go"


def test_a_new_secret_and_a_new_address_sign_differently(
    admin: Membership, everything: tuple[LeadWebhook, str], wire: Wire
) -> None:
    webhook, first = everything
    second = renew_secret(webhook, by=admin.user)
    assert change_webhook(webhook, url=URL, events=["lead.created"], by=admin.user) == ""
    third = change_webhook(webhook, url="https://other.example.com/", events=["lead.created"], by=admin.user)

    assert len({first, second, third}) == 3
    send_test(LeadWebhook.objects.select_related("organization").get(pk=webhook.pk))
    [(url, body, headers)] = wire.posted
    made = hmac.new(third.encode(), headers["X-LeadAgent-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert (url, headers["X-LeadAgent-Signature"]) == ("https://other.example.com/", f"v1={made.hexdigest()}")


# --- The pages -------------------------------------------------------------------------


def test_an_admin_adds_one_and_sees_its_secret_once(admin: Membership, signed_in: SignIn, wire: Wire) -> None:
    client = signed_in(admin)
    where = reverse("leads:webhooks", args=["acme"])

    page = client.post(where, {"url": URL, "events": ["lead.created", "lead.answered"]}).content.decode()

    webhook = LeadWebhook.objects.get()
    assert (webhook.organization, webhook.url, webhook.events) == (
        admin.organization,
        URL,
        ["lead.created", "lead.answered"],
    )
    assert "whsec_" in page
    assert "whsec_" not in client.get(where).content.decode()
    own = reverse("leads:webhook", args=["acme", webhook.pk])
    assert "whsec_" not in client.get(own).content.decode()
    assert client.post(reverse("leads:webhook_test", args=["acme", webhook.pk])).status_code == 302
    page = client.get(own).content.decode()
    assert "The test message was taken" in page
    assert wire.told[0]["type"] == "test"
    assert "whsec_" in client.post(reverse("leads:webhook_secret", args=["acme", webhook.pk])).content.decode()
    assert client.post(reverse("leads:webhook_delete", args=["acme", webhook.pk])).status_code == 302
    assert not LeadWebhook.objects.exists()
    actions = set(AuditEvent.objects.filter(action__startswith="webhook.").values_list("action", flat=True))
    assert actions == {"webhook.added", "webhook.secret_renewed", "webhook.deleted"}


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "ftp://x.test/",
     "https://user:pass@x.test/", "https://x.test:8443/", "javascript:alert(1)", "", "https://169.254.169.254/"],
)  # fmt: skip
def test_only_https_on_the_public_internet(admin: Membership, signed_in: SignIn, url: str) -> None:
    answer = signed_in(admin).post(reverse("leads:webhooks", args=["acme"]), {"url": url, "events": "lead.created"})
    assert answer.status_code == 422
    assert not LeadWebhook.objects.exists()


@pytest.mark.parametrize("events", [[], ["lead.evil"], ["test"]])
def test_only_events_that_there_are(admin: Membership, signed_in: SignIn, events: list[str]) -> None:
    answer = signed_in(admin).post(reverse("leads:webhooks", args=["acme"]), {"url": URL, "events": events})
    assert answer.status_code == 422


def test_a_key_in_the_address_is_told_and_not_shown_again(admin: Membership, signed_in: SignIn) -> None:
    key = "sk-proj-" + "Ab1" * 16
    fields = {"url": f"https://hooks.example.org/{key}", "events": ["lead.created", "lead.qualified"]}
    answer = signed_in(admin).post(reverse("leads:webhooks", args=["acme"]), fields)
    page = answer.content.decode()
    assert key not in page
    assert "A key belongs in the key field only." in page
    assert page.count(" checked") == 2, "the rest stays as it was typed"


def test_members_do_not_see_webhooks(member: Membership, signed_in: SignIn) -> None:
    assert signed_in(member).get(reverse("leads:webhooks", args=["acme"])).status_code == 403


def test_there_are_limits(admin: Membership, signed_in: SignIn, wire: Wire) -> None:
    for _ in range(MOST):
        webhook, _ = add_webhook(admin.organization, url=URL, events=["lead.created"], by=admin.user)
    with pytest.raises(TooMany):
        add_webhook(admin.organization, url=URL, events=["lead.created"], by=admin.user)
    page = signed_in(admin).get(reverse("leads:webhooks", args=["acme"])).content.decode()
    assert "Add a webhook" not in page
    for _ in range(TESTS_PER_DAY):
        send_test(webhook)
    with pytest.raises(TooMany):
        send_test(webhook)
    assert len(wire.posted) == TESTS_PER_DAY


def test_the_history_shows_status_and_next_try(
    admin: Membership, everything: tuple[LeadWebhook, str], signed_in: SignIn, wire: Wire
) -> None:
    take_in(admin.organization, FIELDS, source=LeadSource.FORM)
    wire.answer = Answer(503, b"")
    deliver_due()

    page = signed_in(admin).get(reverse("leads:webhook", args=["acme", everything[0].pk])).content.decode()

    assert "lead.created" in page
    assert "it answered with status 503" in page
    assert "Next try" in page
    assert f"1 of {MAX_ATTEMPTS}" in page


def test_a_draft_whose_mail_is_refused_needs_attention(
    admin: Membership, everything: tuple[LeadWebhook, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = draft_under_review(organization=admin.organization)
    WebhookDelivery.objects.all().delete()
    approve_draft(draft, subject="Hello", body="Hello", by=admin.user, version=1)

    def refuse(*_: Any, **__: Any) -> int:
        raise OSError("refused")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    assert not send_draft(draft.pk)
    assert kinds() == ["lead.needs_attention"]
