"""The environment that `make run` gives to Django, the worker and the beat."""

import os
from collections.abc import Mapping
from urllib.parse import quote

import environ

from leadagent.embedded.ports import LOOPBACK
from leadagent.embedded.state import REPOSITORY, State


def read_dotenv() -> None:
    """Take over `.env` as settings does, so that what it names is not replaced by the demo's values."""
    environ.Env.read_env(REPOSITORY / ".env")


def demo_environment(state: State, *, port: int, database_url: str, redis_url: str) -> dict[str, str]:
    """Every name the product needs in demo mode; what the person has set stays, apart from what the runner decides."""
    address = f"http://{LOOPBACK}:{port}"
    decided = {
        "LEADAGENT_ENV": "demo",
        "DJANGO_SETTINGS_MODULE": "leadagent.settings",
        "PUBLIC_URL": address,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "LEADAGENT_DEMO_PASSWORD": state.secrets.demo_password,
        "PYTHONUNBUFFERED": "1",
    }
    return {**_defaults(state, address), **_without_blanks(os.environ), **decided}


def _defaults(state: State, address: str) -> dict[str, str]:
    sandbox = f"{address}/sandbox"
    defaults = {
        "SECRET_KEY": state.secrets.secret_key,
        "ENCRYPTION_SECRET": state.secrets.encryption_secret,
        "STATIC_ROOT": str(state.directory("static")),
        "USAGE_SPOOL_DIR": str(state.directory("spool")),
        "EXPORT_DIR": str(state.directory("exports")),
        "SANDBOX_ENABLED": "1",
        "SANDBOX_RECORD_FILE": str(state.path / "sandbox.jsonl"),
        "PROVIDER_OPENAI_URL": f"{sandbox}/openai/v1",
        "PROVIDER_ANTHROPIC_URL": f"{sandbox}/anthropic",
        "PROVIDER_OPENROUTER_URL": f"{sandbox}/openrouter/api/v1",
        # Three slashes end the scheme and the empty host; the path brings its own.
        "EMAIL_URL": f"filemail:///{quote(str(state.directory('mail')))}",
    }
    if not os.environ.get("SEARCH_PROVIDER") and not os.environ.get("SANDBOX_ENABLED"):
        # Whoever searches the real web wants to read its pages as well.
        defaults |= {
            "SEARCH_PROVIDER": "searxng",
            "SEARXNG_URL": f"{sandbox}/searxng",
            "SANDBOX_INTERNET_URL": f"{sandbox}/internet",
        }
    if not os.environ.get("PROVIDER_OPENAI_URL"):
        # The sandbox's key must not be shown to a real provider.
        defaults["AI_GATEWAY_API_KEY"] = state.secrets.platform_key
    return defaults


def _without_blanks(given: Mapping[str, str]) -> dict[str, str]:
    """A name that is set to nothing counts as not set, as in an example file with empty lines."""
    return {name: value for name, value in given.items() if value}
