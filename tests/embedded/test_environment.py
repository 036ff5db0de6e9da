import os

import environ
import pytest

from leadagent.embedded.environment import demo_environment
from leadagent.embedded.state import State

_NAMES = (
    "SEARCH_PROVIDER",
    "SEARXNG_URL",
    "SANDBOX_INTERNET_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "ENCRYPTION_SECRET",
    "SANDBOX_ENABLED",
    "LEADAGENT_ENV",
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fresh shell."""
    for name in (*_NAMES, *(name for name in os.environ if name.startswith(("PROVIDER_", "EMAIL_", "AI_", "STATIC_")))):
        monkeypatch.delenv(name, raising=False)


def _made(state: State) -> dict[str, str]:
    return demo_environment(state, port=8123, database_url="postgres://a@/b", redis_url="unix:///c")


def test_the_demo_talks_to_the_sandbox_with_secrets_of_its_own(state: State) -> None:
    made = _made(state)
    assert made["LEADAGENT_ENV"] == "demo"
    assert made["PUBLIC_URL"] == "http://127.0.0.1:8123"
    assert made["PROVIDER_OPENAI_URL"] == "http://127.0.0.1:8123/sandbox/openai/v1"
    assert made["PROVIDER_ANTHROPIC_URL"] == "http://127.0.0.1:8123/sandbox/anthropic"
    assert made["PROVIDER_OPENROUTER_URL"] == "http://127.0.0.1:8123/sandbox/openrouter/api/v1"
    assert made["AI_GATEWAY_API_KEY"] == state.secrets.platform_key
    assert made["SECRET_KEY"] == state.secrets.secret_key
    # Django finds the directory for mail, with the space in its name.
    assert environ.Env.email_url_config(made["EMAIL_URL"])["EMAIL_FILE_PATH"] == str(state.path / "mail")


def test_what_the_person_has_set_stays(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_OPENAI_URL", "https://api.openai.com/v1")
    monkeypatch.setenv("EMAIL_URL", "smtp://mail.test:25")
    monkeypatch.setenv("PROVIDER_ANTHROPIC_URL", "")
    made = _made(state)
    assert made["PROVIDER_OPENAI_URL"] == "https://api.openai.com/v1"
    assert made["EMAIL_URL"] == "smtp://mail.test:25"
    # Set to nothing counts as not set.
    assert made["PROVIDER_ANTHROPIC_URL"].endswith("/sandbox/anthropic")
    # A real provider is not shown the sandbox's key.
    assert "AI_GATEWAY_API_KEY" not in made


def test_the_demo_searches_and_reads_the_sandboxs_internet(state: State) -> None:
    made = _made(state)
    assert (made["SEARCH_PROVIDER"], made["SEARXNG_URL"], made["SANDBOX_INTERNET_URL"]) == (
        "searxng", "http://127.0.0.1:8123/sandbox/searxng", "http://127.0.0.1:8123/sandbox/internet",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("SEARCH_PROVIDER", "brave"), ("SANDBOX_ENABLED", "0")])
def test_whoever_searches_the_real_web_reads_its_pages(
    state: State, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    made = _made(state)
    assert "SANDBOX_INTERNET_URL" not in made
    assert "SEARXNG_URL" not in made


def test_the_runner_decides_where_it_serves(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file copied from production must not make the demo a production server."""
    monkeypatch.setenv("LEADAGENT_ENV", "production")
    monkeypatch.setenv("PUBLIC_URL", "https://leads.example.org")
    made = _made(state)
    assert (made["LEADAGENT_ENV"], made["PUBLIC_URL"]) == ("demo", "http://127.0.0.1:8123")
