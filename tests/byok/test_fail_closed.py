"""Whatever is wrong with a key, a call is refused with a sentence that helps, and no other key takes its place."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.errors import AIError, translated
from byok.keys.stored import remove_api_key
from byok.models import AIConfig, ProviderCredential
from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import CHAT, EMBEDDINGS, MODELS, FakeProvider, chat, chat_async
from tests.byok.keys import KEYS
from tests.factories import OrganizationFactory
from tests.usage.one_connection import put_postgresql_away

pytestmark = pytest.mark.django_db

PLATFORM_KEYS = {provider: f"{KEYS[provider][:12]}PLATFORM0000PLATFORM0000" for provider in KEYS}
OTHERS_KEYS = {provider: f"{KEYS[provider][:12]}NEIGHBOUR00NEIGHBOUR0000" for provider in KEYS}
NEW_KEY = "sk-proj-NEWnewNEWnewNEWnewNEWnew0000wxyz"


@dataclass
class Place:
    """Acme with its own OpenAI and OpenRouter keys, a neighbour with keys of its own, a platform with all of them."""

    organization: Organization
    neighbour: Organization
    settings: Settings
    monkeypatch: pytest.MonkeyPatch

    def row(self, provider: str = "openai") -> ProviderCredential:
        return ProviderCredential.objects.get(organization=self.organization, provider=provider)

    def seal(self, sealed_key: str) -> None:
        ProviderCredential.objects.filter(pk=self.row().pk).update(sealed_key=sealed_key)

    def configure(self, **values: Any) -> None:
        AIConfig.objects.filter(organization=self.organization).update(**values)

    # What can happen to a key, a configuration, an installation.

    def nothing(self) -> None:
        pass

    def tampered(self) -> None:
        sealed = self.row().sealed_key
        at = len(sealed) - 10
        self.seal(sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :])

    def moved_from_a_neighbour(self) -> None:
        self.seal(ProviderCredential.objects.get(organization=self.neighbour, provider="openai").sealed_key)

    def moved_from_another_provider(self) -> None:
        self.seal(self.row("openrouter").sealed_key)

    def secret_gone(self) -> None:
        self.settings.ENCRYPTION_SECRET = "0123456789abcdef" * 4
        self.settings.ENCRYPTION_SECRET_PREVIOUS = []

    def removed(self) -> None:
        remove_api_key(self.organization, "openai")

    def replaced(self) -> None:
        save_ai_config(self.organization, provider="openai", chat_model="gpt-4o-mini", api_key=NEW_KEY)

    def switched_without_a_key(self) -> None:
        self.configure(provider="anthropic", chat_model="claude-haiku-4-5")

    def embeddings_without_a_key(self) -> None:
        remove_api_key(self.organization, "openrouter")
        self.configure(embedding_provider="openrouter")

    def anthropic_alone(self) -> None:
        save_ai_config(
            self.organization, provider="anthropic", chat_model="claude-haiku-4-5", api_key=KEYS["anthropic"]
        )

    def provider_no_longer_offered(self) -> None:
        self.configure(provider="gone", embedding_provider="gone")

    def platform_chosen(self) -> None:
        save_ai_config(self.organization, provider="platform_default")

    def platform_without_a_key(self) -> None:
        self.platform_chosen()
        self.platform_key_unset()

    def platform_key_unset(self) -> None:
        self.settings.PLATFORM_KEYS = PLATFORM_KEYS | {"openai": ""}

    def platform_embeds_nothing(self) -> None:
        self.platform_chosen()
        self.settings.PLATFORM_PROVIDER = "anthropic"

    def switched_off(self) -> None:
        self.settings.BYOK_ENABLED = False
        self.decrypting_fails()

    def not_yet_switched_on(self) -> None:
        self.settings.BYOK_ALLOWED_ORGS = frozenset({"somebody-else"})
        self.decrypting_fails()

    def postgresql_away(self) -> None:
        put_postgresql_away(self.monkeypatch)

    def decrypting_fails(self) -> None:
        def fail(*_: object, **__: object) -> str:
            raise AssertionError("a stored key was opened")

        self.monkeypatch.setattr("byok.keys.sources.decrypt_api_key", fail)


@dataclass(frozen=True)
class Case:
    """What happens before resolving, what between that and the call, and what comes of it.

    `code` empty: the call is answered. `key`: the one key that goes on the wire, if any.
    """

    before: Callable[[Place], None] = Place.nothing
    between: Callable[[Place], None] = Place.nothing
    kind: Any = "chat"
    code: str = ""
    says: str = ""
    key: str | None = None
    answer: int = 200


ENTER_AGAIN = "The saved key for OpenAI can no longer be opened. Enter it again in the AI settings."
NO_KEY = "No usable key is saved for {}. Add one in the AI settings to go on."
NOT_SET_UP = "The platform's own AI is not set up here."
CASES = {
    "own key": Case(key=KEYS["openai"]),
    "own key, embeddings": Case(kind="embedding", key=KEYS["openai"]),
    "tampered": Case(Place.tampered, code="key_unreadable", says=ENTER_AGAIN),
    "tampered, embeddings": Case(Place.tampered, kind="embedding", code="key_unreadable", says=ENTER_AGAIN),
    "moved from a neighbour": Case(Place.moved_from_a_neighbour, code="key_unreadable", says=ENTER_AGAIN),
    "moved from another provider": Case(Place.moved_from_another_provider, code="key_unreadable", says=ENTER_AGAIN),
    "secret gone": Case(Place.secret_gone, code="key_unreadable", says=ENTER_AGAIN),
    "missing": Case(Place.removed, code="config_missing", says=NO_KEY.format("OpenAI")),
    "missing, embeddings": Case(Place.removed, kind="embedding", code="config_missing", says=NO_KEY.format("OpenAI")),
    "removed before the call": Case(between=Place.removed, code="config_missing", says=NO_KEY.format("OpenAI")),
    "tampered before the call": Case(between=Place.tampered, code="key_unreadable", says=ENTER_AGAIN),
    "replaced before the call": Case(between=Place.replaced, key=NEW_KEY),
    "database away": Case(between=Place.postgresql_away, key=KEYS["openai"]),
    "refused by the provider": Case(answer=401, code="invalid_key", says="OpenAI refused the key.", key=KEYS["openai"]),
    "switched without a key": Case(
        Place.switched_without_a_key, code="config_missing", says=NO_KEY.format("Anthropic")
    ),
    "embeddings without a key": Case(
        Place.embeddings_without_a_key, kind="embedding", code="config_missing", says=NO_KEY.format("OpenRouter")
    ),
    "anthropic alone": Case(
        Place.anthropic_alone, kind="embedding", code="config_missing", says="Anthropic offers no embeddings"
    ),
    "provider no longer offered": Case(
        Place.provider_no_longer_offered, code="config_missing", says="is no longer offered. Choose another one"
    ),
    "embedding provider no longer offered": Case(
        Place.provider_no_longer_offered, kind="embedding", code="config_missing", says="is no longer offered"
    ),
    "platform chosen": Case(Place.platform_chosen, key=PLATFORM_KEYS["openai"]),
    "platform without a key": Case(Place.platform_without_a_key, code="config_missing", says=NOT_SET_UP),
    "platform without a key, embeddings": Case(
        Place.platform_without_a_key, kind="embedding", code="config_missing", says=NOT_SET_UP
    ),
    "platform's key unset before the call": Case(
        Place.platform_chosen, Place.platform_key_unset, code="config_missing", says=NO_KEY.format("OpenAI")
    ),
    "platform embeds nothing": Case(
        Place.platform_embeds_nothing, kind="embedding", code="config_missing", says="offers no embeddings"
    ),
    "switched off": Case(Place.switched_off, key=PLATFORM_KEYS["openai"]),
    "switched off, embeddings": Case(Place.switched_off, kind="embedding", key=PLATFORM_KEYS["openai"]),
    "not yet switched on": Case(Place.not_yet_switched_on, key=PLATFORM_KEYS["openai"]),
    "not yet switched on, embeddings": Case(Place.not_yet_switched_on, kind="embedding", key=PLATFORM_KEYS["openai"]),
}


@pytest.fixture
def place(organization: Organization, fake: FakeProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Place:
    settings.PLATFORM_KEYS = dict(PLATFORM_KEYS)
    neighbour = OrganizationFactory()
    for provider, key in OTHERS_KEYS.items():
        save_ai_config(neighbour, provider=provider, chat_model=MODELS[provider], api_key=key)
    for provider in ("openrouter", "openai"):
        save_ai_config(organization, provider=provider, chat_model=MODELS[provider], api_key=KEYS[provider])
    return Place(organization, neighbour, settings, monkeypatch)


def call(model: TenantModel, way: str) -> None:
    with translated(model.provider):
        if model.kind == "embedding":
            client: Any = model.client()
            client.embeddings.create(model=model.model_id, input="Hello", encoding_format="float")
        elif way == "sync":
            chat(model)
        else:
            asyncio.run(chat_async(model))


def keys_on_the_wire(fake: FakeProvider) -> list[str]:
    return [
        request.headers.get("x-api-key") or request.headers["authorization"].removeprefix("Bearer ")
        for request in fake.sent
    ]


@pytest.mark.parametrize("consent", ["never", "ask", "allow"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_right_key_or_none(place: Place, fake: FakeProvider, case: Case, consent: str) -> None:
    """A consent changes nothing by itself: whoever wants the platform's AI says so to the resolver."""
    place.configure(fallback=dict.fromkeys(("qualification", "embedding"), consent))
    fake.answers(case.answer, EMBEDDINGS if case.kind == "embedding" else CHAT["openai"])
    case.before(place)
    way = "async" if consent == "ask" else "sync"
    operation = "embedding" if case.kind == "embedding" else "qualification"

    def act() -> None:
        model = get_model_for_tenant(place.organization, case.kind, operation=operation)
        case.between(place)
        call(model, way)

    if case.code:
        with pytest.raises(AIError) as refused:
            act()
        assert refused.value.code == case.code
        assert case.says in refused.value.sentence
        assert refused.value.needs_admin
    else:
        act()
    assert keys_on_the_wire(fake) == ([case.key] if case.key else [])


def test_a_key_that_does_not_open_is_shown_as_such(place: Place, fake: FakeProvider) -> None:
    place.tampered()
    with pytest.raises(AIError, match="key_unreadable"):
        call(get_model_for_tenant(place.organization, "chat", operation="qualification"), "sync")
    assert place.row().status == "unreadable"
    assert ProviderCredential.objects.filter(organization=place.neighbour, status="unreadable").count() == 0


@dataclass
class Held:
    """A model that was resolved once, and the keys that its calls went out with."""

    model: TenantModel
    fake: FakeProvider

    def call(self) -> str:
        sent = len(self.fake.sent)
        try:
            call(self.model, "sync")
        except AIError as error:
            assert len(self.fake.sent) == sent
            return error.code
        return keys_on_the_wire(self.fake)[-1]


def test_a_model_that_is_held_follows_its_key(place: Place, fake: FakeProvider) -> None:
    fake.answers(200, CHAT["openai"])
    held = Held(get_model_for_tenant(place.organization, "chat", operation="research"), fake)
    assert held.call() == KEYS["openai"]
    place.replaced()
    assert held.call() == NEW_KEY
    place.removed()
    assert held.call() == "config_missing"
    # A key that is saved anew has a row of its own: the held model was not made for that one.
    place.replaced()
    assert held.call() == "config_missing"
