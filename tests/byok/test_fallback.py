"""The platform's AI in place of an own key that fails: only by consent, and enforced where models are resolved."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from pytest_django import Settings

from byok.calls.platform_fallback import (
    REASONS,
    Allowed,
    Ask,
    FailedOnPlatform,
    Fallback,
    No,
    OnPlatform,
    operations_to_grant,
    own_key_first,
    platform_instead,
)
from byok.config.saving import save_ai_config
from byok.error_kinds import KINDS
from byok.errors import AIError, translated
from byok.models import AIConfig, ProviderCredential
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import CHAT, MODELS, FakeProvider, chat
from tests.byok.keys import KEYS, PLATFORM_KEY
from usage.models import AIUsage, FreeTierMonth

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]
REFUSED = {"error": {"message": "User not found.", "code": 401}}


def consent(organization: Organization, word: str, operation: str = "qualification", **more: Any) -> None:
    """OpenRouter with a key of Acme's own, and what it says about the platform's AI."""
    values: dict[str, Any] = {"provider": "openrouter", "chat_model": MODELS["openrouter"]}
    save_ai_config(organization, api_key=KEYS["openrouter"], fallback={operation: word}, **values | more)


def error_of(code: str, provider: str = "openrouter") -> AIError:
    return AIError(code, provider=provider)


# --- The decision ---


@pytest.mark.parametrize("code", KINDS)
@pytest.mark.parametrize("word", ["never", "ask", "allow"])
@pytest.mark.parametrize("granted", [False, True])
def test_only_the_keys_own_troubles_and_only_by_consent(
    organization: Organization, code: str, word: str, granted: bool
) -> None:
    consent(organization, word)
    decision = platform_instead(organization, "qualification", error_of(code), granted=granted)
    if code not in REASONS or word == "never":
        assert decision == No(error_of(code).sentence)
    elif word == "ask" and not granted:
        assert isinstance(decision, Ask)
    else:
        assert isinstance(decision, Allowed)


def test_which_troubles_those_are() -> None:
    assert set(REASONS) == {
        "config_missing",
        "key_unreadable",
        "invalid_key",
        "missing_scope",
        "no_credit",
        "key_limit",
    }


def test_a_consent_is_for_its_operation_only(organization: Organization) -> None:
    consent(organization, "allow", "research")
    assert isinstance(platform_instead(organization, "research", error_of("invalid_key")), Allowed)
    for operation in ("qualification", "email_generation", "embedding"):
        assert isinstance(platform_instead(organization, operation, error_of("invalid_key"), granted=True), No)


def test_the_reason_follows_because(organization: Organization) -> None:
    consent(organization, "allow")
    for code in REASONS:
        decision = platform_instead(organization, "qualification", error_of(code))
        assert isinstance(decision, Allowed)
        assert decision.code == code
        assert "OpenRouter" in decision.reason
        assert not decision.reason.endswith(".")


def test_the_platforms_own_trouble_is_no_reason(organization: Organization) -> None:
    consent(organization, "allow")
    assert isinstance(platform_instead(organization, "qualification", error_of("invalid_key", "openai")), No)
    save_ai_config(organization, provider="platform_default")
    assert isinstance(platform_instead(organization, "qualification", error_of("invalid_key", "openai")), No)


def test_a_platform_that_is_not_set_up_takes_nothing_over(organization: Organization, settings: Settings) -> None:
    settings.PLATFORM_KEYS = dict.fromkeys(KEYS, "")
    for word in ("ask", "allow"):
        consent(organization, word)
        decision = platform_instead(organization, "qualification", error_of("no_credit"))
        assert isinstance(decision, No)
        assert decision.sentence.endswith("The platform's AI cannot take over: it is not set up here.")


@pytest.mark.parametrize(
    ("own", "platform", "alike"),
    [
        ("openai/text-embedding-3-small", "text-embedding-3-small", True),
        ("text-embedding-3-small", "openai/text-embedding-3-small", True),
        ("openai/text-embedding-3-large", "text-embedding-3-small", False),
    ],
)
@pytest.mark.parametrize("word", ["ask", "allow"])
def test_embeddings_fall_back_to_the_same_model_only(
    organization: Organization, settings: Settings, own: str, platform: str, alike: bool, word: str
) -> None:
    settings.PLATFORM_EMBEDDING_MODEL = platform
    consent(organization, word, "embedding", embedding_model=own)
    decision = platform_instead(organization, "embedding", error_of("invalid_key"))
    assert isinstance(decision, (Allowed if word == "allow" else Ask) if alike else No)
    if isinstance(decision, No):
        assert "does not compare" in decision.sentence
        fallback = OnPlatform(error_of("invalid_key"), granted=True)
        with pytest.raises(AIError, match="does not compare"):
            get_model_for_tenant(organization, "embedding", operation="embedding", fallback=fallback)


def test_a_platform_without_embeddings_takes_none_over(organization: Organization, settings: Settings) -> None:
    settings.PLATFORM_PROVIDER, settings.PLATFORM_KEYS = "anthropic", {"anthropic": KEYS["anthropic"]}
    consent(organization, "allow", "embedding", embedding_model="openai/text-embedding-3-small")
    assert isinstance(platform_instead(organization, "embedding", error_of("invalid_key")), No)


def test_no_embedding_provider_at_all_is_no_trouble_of_a_key(organization: Organization) -> None:
    save_ai_config(
        organization,
        provider="anthropic",
        chat_model=MODELS["anthropic"],
        api_key=KEYS["anthropic"],
        fallback={"embedding": "allow"},
    )
    with pytest.raises(AIError, match="Anthropic offers no embeddings") as refused:
        get_model_for_tenant(organization, "embedding", operation="embedding")
    assert isinstance(platform_instead(organization, "embedding", refused.value, granted=True), No)


def test_switched_off_there_is_nothing_to_fall_back_from(organization: Organization, settings: Settings) -> None:
    consent(organization, "allow")
    settings.BYOK_ENABLED = False
    assert isinstance(platform_instead(organization, "qualification", error_of("invalid_key")), No)


def test_a_grant_covers_what_is_set_to_ask(organization: Organization) -> None:
    consent(organization, "ask")
    AIConfig.objects.update(fallback={"qualification": "ask", "email_generation": "ask", "research": "allow"})
    assert operations_to_grant(organization, "qualification", "invalid_key") == ["qualification", "email_generation"]
    assert operations_to_grant(organization, "research", "invalid_key") == []
    assert operations_to_grant(organization, "qualification", "quota_exhausted") == []
    assert operations_to_grant(organization, "qualification", "internal_error") == []


# --- The resolver ---


@pytest.mark.parametrize(
    ("word", "granted", "code", "served"),
    [
        ("allow", False, "invalid_key", True),
        ("ask", True, "invalid_key", True),
        ("ask", False, "invalid_key", False),
        ("never", True, "invalid_key", False),
        ("allow", True, "context_too_long", False),
        ("allow", True, "rate_limited", False),
        ("allow", True, "budget_exhausted", False),
    ],
)
def test_the_resolver_enforces_the_consent(
    organization: Organization, settings: Settings, word: str, granted: bool, code: str, served: bool
) -> None:
    consent(organization, word)
    fallback = OnPlatform(error_of(code), granted)
    if not served:
        with pytest.raises(AIError) as refused:
            get_model_for_tenant(organization, "chat", operation="qualification", fallback=fallback)
        assert (refused.value.code, refused.value.sentence) == (code, error_of(code).sentence)
        return
    model = get_model_for_tenant(organization, "chat", operation="qualification", fallback=fallback)
    assert (model.provider, model.model_id) == (settings.PLATFORM_PROVIDER, settings.PLATFORM_CHAT_MODEL)
    assert not model.is_customer_key
    assert model.context.credential is None


def test_a_consent_cannot_be_stretched_to_another_kind(organization: Organization) -> None:
    consent(organization, "allow")
    fallback = OnPlatform(error_of("invalid_key"))
    with pytest.raises(ValueError, match="per operation"):
        get_model_for_tenant(organization, "embedding", operation="qualification", fallback=fallback)


# --- The call ---


def answer_by_key(fake: FakeProvider, *, own: int = 401, platform: int = 200) -> None:
    """OpenRouter (Acme's key) and OpenAI (the platform's) answer with their statuses."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        is_platform = request.headers["authorization"] == f"Bearer {PLATFORM_KEY}"
        status = platform if is_platform else own
        body = CHAT["openai" if is_platform else "openrouter"] if status == 200 else REFUSED
        return httpx2.Response(status, json=body)

    fake.answer = answer


def one_call(organization: Organization) -> Callable[[Fallback | None], str]:
    def work(fallback: Fallback | None) -> str:
        model = get_model_for_tenant(organization, "chat", operation="qualification", fallback=fallback)
        with translated(model.provider):
            chat(model)
        return model.provider

    return work


def run(organization: Organization, *, granted: bool = False) -> tuple[str, Fallback | None]:
    return own_key_first(organization, "qualification", one_call(organization), granted=granted)


def exchanges(rows: Rows) -> list[tuple[str, str, bool, str]]:
    return [(row.provider, row.key_owner, row.success, row.error_code) for row in rows()]


def used(organization: Organization) -> int:
    return sum(FreeTierMonth.objects.filter(organization=organization).values_list("used", flat=True))


def test_a_key_that_works_is_all_that_is_used(organization: Organization, fake: FakeProvider, rows: Rows) -> None:
    consent(organization, "allow")
    answer_by_key(fake, own=200)
    assert run(organization) == ("openrouter", None)
    assert exchanges(rows) == [("openrouter", "customer", True, "")]
    assert used(organization) == 0


@pytest.mark.parametrize(("word", "granted"), [("allow", False), ("ask", True)])
def test_a_refused_key_is_one_row_and_the_platforms_answer_another(
    organization: Organization, fake: FakeProvider, rows: Rows, settings: Settings, word: str, granted: bool
) -> None:
    consent(organization, word)
    answer_by_key(fake)
    provider, fallback = run(organization, granted=granted)
    assert provider == "openai"
    assert fallback is not None
    assert fallback.reason == "OpenRouter refused the key"
    assert exchanges(rows) == [
        ("openrouter", "customer", False, "invalid_key"),
        ("openai", "platform", True, ""),
    ]
    assert rows()[-1].model == settings.PLATFORM_CHAT_MODEL
    assert used(organization) == 1


@pytest.mark.parametrize(("word", "granted"), [("never", False), ("never", True), ("ask", False)])
def test_without_consent_the_platforms_key_stays_where_it_is(
    organization: Organization, fake: FakeProvider, rows: Rows, word: str, granted: bool
) -> None:
    consent(organization, word)
    answer_by_key(fake)
    with pytest.raises(AIError, match="OpenRouter refused the key"):
        run(organization, granted=granted)
    assert exchanges(rows) == [("openrouter", "customer", False, "invalid_key")]
    assert used(organization) == 0


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "overloaded"), (400, "bad_request")])
def test_what_is_not_the_keys_fault_stays_as_it_is(
    organization: Organization, fake: FakeProvider, rows: Rows, status: int, code: str
) -> None:
    consent(organization, "allow")
    answer_by_key(fake, own=status)
    with pytest.raises(AIError, match=code):
        run(organization)
    assert exchanges(rows) == [("openrouter", "customer", False, code)]


def test_a_key_known_to_be_refused_is_not_tried_again(
    organization: Organization, fake: FakeProvider, rows: Rows
) -> None:
    consent(organization, "allow")
    answer_by_key(fake)
    run(organization)
    assert ProviderCredential.objects.get().status == "rejected"
    run(organization)
    assert [owner for _, owner, _, _ in exchanges(rows)] == ["customer", "platform", "platform"]
    # Without consent there is no better way than to try.
    AIConfig.objects.update(fallback={})
    with pytest.raises(AIError, match="invalid_key"):
        run(organization)
    assert [owner for _, owner, _, _ in exchanges(rows)] == ["customer", "platform", "platform", "customer"]


def test_an_account_without_credit_is_tried_each_time(
    organization: Organization, fake: FakeProvider, rows: Rows
) -> None:
    """Credit is added at the provider, where nobody tells us."""
    consent(organization, "allow")
    answer_by_key(fake, own=402)
    run(organization)
    answer_by_key(fake, own=200)
    assert run(organization) == ("openrouter", None)


@pytest.mark.parametrize("trouble", ["missing", "unreadable"])
def test_a_key_that_cannot_be_sent_costs_no_exchange(
    organization: Organization, fake: FakeProvider, rows: Rows, trouble: str
) -> None:
    consent(organization, "allow")
    answer_by_key(fake)
    if trouble == "missing":
        ProviderCredential.objects.all().delete()
    else:
        ProviderCredential.objects.update(sealed_key="v1:00000000:AAAA:AAAA")
    assert run(organization)[0] == "openai"
    assert exchanges(rows) == [("openai", "platform", True, "")]


def test_the_free_tier_ends_for_fallbacks_too(
    organization: Organization, fake: FakeProvider, rows: Rows, settings: Settings
) -> None:
    settings.FREE_TIER_REQUESTS = 1
    consent(organization, "allow")
    answer_by_key(fake)
    run(organization)
    with pytest.raises(FailedOnPlatform) as refused:
        run(organization)
    assert (refused.value.code, refused.value.sentence) == ("quota_exhausted", AIError("quota_exhausted").sentence)
    assert refused.value.taken_over == Allowed("invalid_key", "OpenRouter refused the key")
    assert used(organization) == 1
    assert len(exchanges(rows)) == 2


def test_where_the_platforms_own_key_fails_the_own_keys_trouble_is_told(
    organization: Organization, fake: FakeProvider
) -> None:
    consent(organization, "allow")
    answer_by_key(fake, platform=401)
    with pytest.raises(FailedOnPlatform) as refused:
        run(organization)
    assert (refused.value.code, refused.value.provider) == ("invalid_key", "openrouter")
    assert refused.value.sentence.startswith("OpenRouter refused the key.")
    assert refused.value.sentence.endswith("its own key does not work at the moment.")
    assert used(organization) == 0


def test_a_passing_trouble_of_the_platform_stays_a_passing_one(organization: Organization, fake: FakeProvider) -> None:
    consent(organization, "allow")
    answer_by_key(fake, platform=503)
    with pytest.raises(FailedOnPlatform) as refused:
        run(organization)
    assert (refused.value.code, refused.value.permanent, refused.value.provider) == ("overloaded", False, "openai")
