"""Admins are told of a refused key once, and everybody sees it on the organisation's pages."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from byok import tasks
from byok.config.saving import save_ai_config
from byok.config.values import OPERATIONS
from byok.errors import AIError, translated
from byok.keys import credentials
from byok.keys.credentials import KnownCredential
from byok.keys.notices import tell_admins
from byok.keys.trouble import trouble_for
from byok.models import AIConfig, ProviderCredential
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import AuditEvent, Membership, Organization, Role
from tests.byok.fake_provider import MODELS, FakeProvider, chat
from tests.byok.keys import KEYS
from tests.factories import MembershipFactory, OrganizationFactory
from tests.usage.factories import finished
from usage.models import AlertChannel, AlertSecret, AlertSent

pytestmark = pytest.mark.django_db

Mails = list[EmailMultiAlternatives]


@pytest.fixture
def admins(organization: Organization) -> list[Membership]:
    """Two admins, and others who are not to be bothered."""
    MembershipFactory(organization=organization, role=Role.MEMBER)
    MembershipFactory(organization=organization, role=Role.ADMIN, user__is_active=False)
    MembershipFactory(organization=OrganizationFactory(), role=Role.ADMIN)
    return [
        MembershipFactory(organization=organization, role=Role.ADMIN, user__email=f"admin{number}@acme.test")
        for number in range(2)
    ]


@pytest.fixture
def credential(organization: Organization) -> ProviderCredential:
    save_ai_config(organization, provider="openrouter", chat_model=MODELS["openrouter"], api_key=KEYS["openrouter"])
    return ProviderCredential.objects.get()


def refuse(credential: ProviderCredential, status: str = "rejected") -> None:
    now = timezone.now()
    ProviderCredential.objects.filter(pk=credential.pk).update(status=status, refused_since=now, checked_at=now)


def outcome(credential: ProviderCredential, code: str = "") -> None:
    """A call's end, as real traffic notes it."""
    credential.refresh_from_db()
    event = finished(credential.organization, credential_id=credential.pk, error_code=code, success=not code)
    credentials.note_outcome(event, KnownCredential.of(credential))


def audited() -> list[str]:
    events = AuditEvent.objects.filter(action__in=["credential.rejected", "credential.unreadable"])
    return list(events.order_by("pk").values_list("action", flat=True))


# --- Mail ---


def test_each_admin_gets_one_mail(
    organization: Organization, admins: list[Membership], credential: ProviderCredential, mailoutbox: Mails
) -> None:
    outcome(credential, "invalid_key")
    assert tell_admins() == 2
    assert sorted(mail.to[0] for mail in mailoutbox) == ["admin0@acme.test", "admin1@acme.test"]
    assert all(len(mail.to) == 1 and not mail.cc and not mail.bcc for mail in mailoutbox)
    mail = mailoutbox[0]
    assert mail.subject == "Acme: OpenRouter refuses the key"
    html = str(mail.alternatives[0][0])
    for text in (str(mail.body), html):
        assert reverse("byok:settings", args=["acme"]) in text
        assert "openrouter.ai/keys" in text
        assert "wxyz" in text
        assert KEYS["openrouter"] not in text
    assert len({mail.extra_headers["Message-ID"] for mail in mailoutbox}) == 2
    assert tell_admins() == 0
    tasks.tell_admins()
    assert len(mailoutbox) == 2
    assert audited() == ["credential.rejected"]
    event = AuditEvent.objects.get(action="credential.rejected")
    assert (event.organization, event.target, event.actor_label) == (organization, "openrouter", "system")


@pytest.mark.usefixtures("admins")
def test_more_refusals_are_the_same_refusal(credential: ProviderCredential, mailoutbox: Mails) -> None:
    outcome(credential, "invalid_key")
    tell_admins()
    for _ in range(3):
        credentials._last_noted.clear()
        outcome(credential, "invalid_key")
        # Neither a timeout nor a rate limit ends it.
        outcome(credential, "timeout")
    assert tell_admins() == 0
    assert len(mailoutbox) == 2
    assert audited() == ["credential.rejected"]


@pytest.mark.usefixtures("admins")
@pytest.mark.parametrize("mended_by", ["a good answer", "a new key", "the same key again"])
def test_the_next_refusal_is_told_again(
    organization: Organization, credential: ProviderCredential, mailoutbox: Mails, mended_by: str
) -> None:
    outcome(credential, "invalid_key")
    tell_admins()
    if mended_by == "a good answer":
        outcome(credential)
    else:
        key = KEYS["openrouter"][:-4] + "new1" if mended_by == "a new key" else KEYS["openrouter"]
        save_ai_config(organization, provider="openrouter", chat_model=MODELS["openrouter"], api_key=key)
    credential.refresh_from_db()
    assert credential.rejection_told_at is None
    assert tell_admins() == 0
    credentials._last_noted.clear()
    outcome(credential, "invalid_key")
    assert tell_admins() == 2
    assert audited() == ["credential.rejected"] * 2
    assert len({mail.extra_headers["Message-ID"] for mail in mailoutbox}) == 4


@pytest.mark.usefixtures("admins")
def test_an_unreadable_key_is_told_too(credential: ProviderCredential, mailoutbox: Mails) -> None:
    credentials.note_unreadable(KnownCredential.of(credential))
    credential.refresh_from_db()
    assert credential.refused_since is not None
    assert tell_admins() == 2
    assert mailoutbox[0].subject == "Acme: the OpenRouter key can no longer be opened"
    assert "enter the key again" in str(mailoutbox[0].body)
    assert audited() == ["credential.unreadable"]


@pytest.mark.usefixtures("admins")
@pytest.mark.parametrize("status", ["ok", "untested", "no_credit", "unreachable"])
def test_other_states_are_not_worth_a_mail(credential: ProviderCredential, mailoutbox: Mails, status: str) -> None:
    ProviderCredential.objects.update(status=status)
    assert tell_admins() == 0
    assert mailoutbox == []


@pytest.mark.usefixtures("admins")
def test_only_a_key_in_use_is_worth_a_mail(
    organization: Organization, credential: ProviderCredential, mailoutbox: Mails, settings: Settings
) -> None:
    refuse(credential)
    save_ai_config(organization, provider="platform_default")
    assert tell_admins() == 0
    save_ai_config(
        organization,
        provider="anthropic",
        chat_model=MODELS["anthropic"],
        api_key=KEYS["anthropic"],
        embedding_provider="openrouter",
    )
    settings.BYOK_ENABLED = False
    assert tell_admins() == 0
    settings.BYOK_ENABLED = True
    assert tell_admins() == 2
    assert len(mailoutbox) == 2


@pytest.mark.usefixtures("admins")
def test_a_mail_server_that_is_away_is_tried_again(
    credential: ProviderCredential, mailoutbox: Mails, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(credential)
    tried: list[str] = []

    def away(mail: EmailMultiAlternatives, *args: Any, **kwargs: Any) -> int:
        tried.append(mail.extra_headers["Message-ID"])
        raise SMTPServerDisconnected("gone")

    with monkeypatch.context() as patched:
        patched.setattr(EmailMultiAlternatives, "send", away)
        assert tell_admins() == 0
    credential.refresh_from_db()
    assert credential.rejection_told_at is None
    assert tell_admins() == 2
    # Every try carries the same names, and the audit log holds the refusal once.
    assert [mail.extra_headers["Message-ID"] for mail in mailoutbox] == tried
    assert audited() == ["credential.rejected"]


@pytest.mark.usefixtures("admins")
@pytest.mark.parametrize("error", [SMTPRecipientsRefused({}), SMTPServerDisconnected("gone")])
def test_one_address_that_fails_does_not_tell_the_others_twice(
    credential: ProviderCredential, mailoutbox: Mails, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    refuse(credential)
    send = EmailMultiAlternatives.send

    def picky(mail: EmailMultiAlternatives, *args: Any, **kwargs: Any) -> int:
        if mail.to == ["admin0@acme.test"]:
            raise error
        return send(mail)

    monkeypatch.setattr(EmailMultiAlternatives, "send", picky)
    assert tell_admins() == 1
    assert tell_admins() == 0
    assert [mail.to for mail in mailoutbox] == [["admin1@acme.test"]]


@pytest.mark.usefixtures("admins")
def test_a_name_cannot_break_out_of_the_subject(
    organization: Organization, credential: ProviderCredential, mailoutbox: Mails
) -> None:
    Organization.objects.update(name="Acme\r\nBcc: everybody@example.test <b>x</b>")
    refuse(credential)
    tell_admins()
    assert "\n" not in mailoutbox[0].subject
    assert "<b>x</b>" not in str(mailoutbox[0].alternatives[0][0])


@pytest.mark.django_db(transaction=True)
def test_fifty_refusals_at_once_are_one_mail_per_admin_and_one_event(
    organization: Organization,
    admins: list[Membership],
    credential: ProviderCredential,
    fake: FakeProvider,
    mailoutbox: Mails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("byok.wire._sync_pool", fake)
    fake.answers(401, {"error": {"code": 401, "message": "User not found."}})
    ProviderCredential.objects.update(status="ok")

    def at_once(act: Callable[[], Any], times: int) -> list[Any]:
        def acted(_: int) -> Any:
            try:
                return act()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(acted, range(times)))

    def call() -> str:
        model = get_model_for_tenant(organization, "chat", operation="qualification")
        with pytest.raises(AIError) as raised, translated("openrouter"):
            chat(model)
        return raised.value.code

    assert at_once(call, 50) == ["invalid_key"] * 50
    assert sum(at_once(tell_admins, 8)) == 2
    assert sorted(mail.to[0] for mail in mailoutbox) == sorted(admin.user.email for admin in admins)
    assert audited() == ["credential.rejected"]
    assert len(fake.sent) == 50
    # And again, beside the beat.
    outcomes = at_once(lambda: (call(), tell_admins()), 20)
    assert [sent for _, sent in outcomes] == [0] * 20
    assert len(mailoutbox) == 2
    assert audited() == ["credential.rejected"]


# --- The banner ---


def page(client: Client, membership: Membership) -> str:
    client.force_login(membership.user)
    return client.get(reverse("leads:list", args=[membership.organization.slug])).content.decode()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("rejected", "OpenRouter has refused your key for 3"),
        ("unreadable", "Your OpenRouter key can no longer be opened: it failed 3"),
        ("no_credit", "has nothing left to spend"),
    ],
)
@pytest.mark.parametrize("role", Role)
def test_everybody_sees_what_is_wrong_and_admins_where_to_mend_it(
    client: Client, organization: Organization, credential: ProviderCredential, status: str, words: str, role: Role
) -> None:
    refuse(credential, status)
    ProviderCredential.objects.update(refused_since=timezone.now() - timedelta(hours=3, minutes=5))
    html = page(client, MembershipFactory(organization=organization, role=role))
    assert words in html
    link = f'<a class="banner-action" href="{reverse("byok:settings", args=["acme"])}#update">'
    assert (link in html) is (role is Role.ADMIN)
    assert ("an admin" in html) is (role is not Role.ADMIN)


@pytest.mark.parametrize("status", ["ok", "untested", "unreachable"])
def test_no_banner_without_trouble(
    client: Client, organization: Organization, credential: ProviderCredential, status: str
) -> None:
    refuse(credential, status)
    assert 'aria-label="Key"' not in page(client, MembershipFactory(organization=organization))


def test_no_banner_for_a_key_that_is_not_used(
    organization: Organization, credential: ProviderCredential, settings: Settings
) -> None:
    membership = MembershipFactory(organization=organization)
    refuse(credential)
    assert trouble_for(membership) is not None
    settings.BYOK_ENABLED = False
    assert trouble_for(membership) is None
    settings.BYOK_ENABLED = True
    save_ai_config(organization, provider="platform_default")
    assert trouble_for(membership) is None
    assert trouble_for(MembershipFactory()) is None


def test_the_banner_costs_one_query_and_with_trouble_three(
    organization: Organization, credential: ProviderCredential, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    membership = MembershipFactory(organization=organization)
    with django_assert_num_queries(1):
        assert trouble_for(membership) is None
    refuse(credential)
    with django_assert_num_queries(3):
        trouble = trouble_for(membership)
    assert trouble is not None
    assert trouble.kind == "bad"


def test_within_the_first_minute_it_was_just_now(organization: Organization, credential: ProviderCredential) -> None:
    refuse(credential)
    ProviderCredential.objects.update(refused_since=timezone.now() - timedelta(seconds=20))
    trouble = trouble_for(MembershipFactory(organization=organization, role=Role.ADMIN))
    assert trouble is not None
    assert trouble.title == "OpenRouter refused your key just now."


_ALL = "research, qualification, email drafts and embeddings"


@pytest.mark.parametrize(
    ("consents", "words"),
    [
        ({}, "AI work that needs it stops until you save a new one."),
        (dict.fromkeys(OPERATIONS, "allow"), f"Until you save a new one, the platform's AI does {_ALL}, within the"),
        (
            {"research": "allow", "qualification": "allow", "email_generation": "ask"},
            (
                "Until you save a new one, the platform's AI does research and qualification, within the free requests. "
                "A person has to agree first to email drafts. Stopped: embeddings."
            ),
        ),
        (
            {"research": "ask"},
            (
                "Until you save a new one, the platform's AI does research only once a person agrees. "
                "Stopped: qualification, email drafts and embeddings."
            ),
        ),
    ],
)
def test_the_banner_tells_what_goes_on_by_consent(
    organization: Organization, credential: ProviderCredential, consents: dict[str, str], words: str
) -> None:
    config = AIConfig.objects.get(organization=organization)
    config.fallback, config.embedding_provider, config.embedding_model = (
        consents,
        credential.provider,
        "openai/text-embedding-3-small",
    )
    config.save()
    refuse(credential)
    trouble = trouble_for(MembershipFactory(organization=organization, role=Role.ADMIN))
    assert trouble is not None
    assert words in trouble.text


def test_where_the_free_requests_are_used_up_the_platform_takes_nothing_over(
    organization: Organization, credential: ProviderCredential, settings: Settings
) -> None:
    settings.FREE_TIER_REQUESTS = 0
    AIConfig.objects.filter(organization=organization).update(fallback=dict.fromkeys(OPERATIONS, "allow"))
    refuse(credential)
    trouble = trouble_for(MembershipFactory(organization=organization))
    assert trouble is not None
    assert trouble.text == (
        "AI work that needs it stops until an admin saves a new one. "
        "The platform's free requests of this month are used up as well."
    )


def test_slack_is_told_of_the_same_refusal_once(
    organization: Organization, admins: list[Membership], credential: ProviderCredential
) -> None:
    AlertSecret.objects.create(organization=organization, channel=AlertChannel.SLACK, sealed="sealed", last4="abcd")
    outcome(credential, "invalid_key")
    tell_admins()
    tell_admins()
    alert = AlertSent.objects.get()
    assert (alert.kind, alert.title) == ("key_refused", "Acme: OpenRouter refuses the key")
    assert KEYS["openrouter"][-4:] in alert.text
    assert [delivery.channel for delivery in alert.deliveries.all()] == [AlertChannel.SLACK]
