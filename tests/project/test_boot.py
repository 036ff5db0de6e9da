"""What production refuses to start with, and what is left in the environment once it has started."""

import json
import os
import secrets
import subprocess
import sys

import pytest

from tests.project.files import ROOT, example_lines

# The person's own `.env` must not decide a test.
_IMPORT = "import environ; environ.Env.read_env = classmethod(lambda *a, **k: None); import leadagent.settings as s; "

GOOD = {
    "PUBLIC_URL": "https://leads.acme.test",
    "SECRET_KEY": secrets.token_hex(32),
    "ENCRYPTION_SECRET": secrets.token_hex(32),
    "DATABASE_URL": "postgres://leadagent@127.0.0.1:5432/leadagent",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "EMAIL_URL": "smtp+tls://leads:secret@mail.acme.test:587",
}


def boot(env: dict[str, str], then: str = "") -> subprocess.CompletedProcess[str]:
    """Import the settings in a process that has this environment and nothing else."""
    return subprocess.run(
        [sys.executable, "-c", _IMPORT + then],
        env={"PATH": os.environ["PATH"], **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is missing or still a placeholder: "),
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing or still a placeholder: "),
        ({"SECRET_KEY": "django-insecure-" + "q7" * 30}, "SECRET_KEY is missing or still a placeholder: "),
        ({"SECRET_KEY": "Change-Me-" + "q7" * 30}, "SECRET_KEY is missing or still a placeholder: "),
        ({"SECRET_KEY": "q7x" * 16}, "SECRET_KEY is shorter than 50 characters: "),
        ({"ENCRYPTION_SECRET": None}, "ENCRYPTION_SECRET is missing or still a placeholder: "),
        ({"ENCRYPTION_SECRET": "your-encryption-secret"}, "ENCRYPTION_SECRET is missing or still a placeholder: "),
        ({"ENCRYPTION_SECRET": "0123456789abcdef" * 3}, "ENCRYPTION_SECRET must be exactly 64 hexadecimal characters: "),
        ({"ENCRYPTION_SECRET": "0123456789abcdeg" * 4}, "ENCRYPTION_SECRET must be exactly 64 hexadecimal characters: "),
        ({"ENCRYPTION_SECRET": "0" * 64}, "ENCRYPTION_SECRET is not random: "),
        ({"ENCRYPTION_SECRET": "0123456789abcdef" * 4}, "ENCRYPTION_SECRET is not random: "),
        ({"EMAIL_URL": None}, "EMAIL_URL names no mail server: "),
        ({"EMAIL_URL": "memorymail://"}, "EMAIL_URL names no mail server: "),
        ({"DEBUG": "1"}, "DEBUG is on in production: "),
        ({"ENCRYPTION_SECRET_PREVIOUS": "abc"}, "ENCRYPTION_SECRET_PREVIOUS must be exactly 64 hexadecimal characters: "),
        ({"PUBLIC_URL": "http://leads.acme.test"}, "PUBLIC_URL is 'http://leads.acme.test': production is served by https."),
        ({"PUBLIC_URL": None}, "PUBLIC_URL is 'http://127.0.0.1:8000': production is served by https."),
        ({"SANDBOX_ENABLED": "1"}, "SANDBOX_ENABLED is on in production: "),
        ({"SANDBOX_INTERNET_URL": "http://127.0.0.1:8000/sandbox/internet"}, "SANDBOX_INTERNET_URL is for demo and tests, "),
        ({"LEADAGENT_ENV": "demo", "SANDBOX_ENABLED": "1", "SANDBOX_INTERNET_URL": "http://10.0.0.1/x"},
         "SANDBOX_INTERNET_URL is 'http://10.0.0.1/x': "),
        ({"LEADAGENT_ENV": "demo", "SANDBOX_INTERNET_URL": "http://127.0.0.1/x"}, "SANDBOX_INTERNET_URL is for demo and "),
        ({"SEARCH_PROVIDER": "google"}, "SEARCH_PROVIDER is 'google': use brave, tavily or searxng"),
        ({"SEARCH_PROVIDER": "brave", "TAVILY_API_KEY": "x"}, "SEARCH_PROVIDER is 'brave': set BRAVE_SEARCH_API_KEY, "),
        ({"SEARCH_PROVIDER": "searxng", "SEARXNG_URL": "searxng:8080"}, "SEARCH_PROVIDER is 'searxng': set "),
        ({"RESEARCH_MAX_STEPS": "21"}, "RESEARCH_MAX_STEPS is between 2 and 20; "),
        ({"RESEARCH_MAX_COST": "much"}, "RESEARCH_MAX_STEPS is between 2 and 20; "),
        ({"RESEARCH_MAX_COST": "NaN"}, "RESEARCH_MAX_STEPS is between 2 and 20; "),
        ({"RESEARCH_MAX_TOKENS": "0"}, "RESEARCH_MAX_STEPS is between 2 and 20; "),
        ({"LEADAGENT_ENV": "staging"}, "LEADAGENT_ENV is 'staging': use production, demo or test."),
        ({"PROVIDER_OPENAI_URL": "http://api.openai.com/v1"}, "PROVIDER_OPENAI_URL is 'http://api.openai.com/v1': "),
    ],
)  # fmt: skip
def test_production_refuses_to_start_and_says_why_in_one_sentence(
    changed: dict[str, str | None], sentence: str
) -> None:
    env = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    result = boot(env)
    assert result.returncode == 1
    last_line = result.stderr.strip().splitlines()[-1]
    assert last_line.startswith(f"django.core.exceptions.ImproperlyConfigured: {sentence}")
    assert last_line.endswith(".")
    shown = [env.get(name, "") for name in ("SECRET_KEY", "ENCRYPTION_SECRET")]
    assert not [secret for secret in shown if len(secret) > 10 and secret in result.stderr]


def test_the_example_file_as_it_is_does_not_start_production() -> None:
    needed = {name: value for name, (value, is_comment, _) in example_lines().items() if not is_comment}
    result = boot({**GOOD, **needed})
    assert result.returncode == 1
    assert "ImproperlyConfigured" in result.stderr


def test_production_starts_with_every_optional_line_of_the_example_switched_on() -> None:
    optional = {name: value for name, (value, is_comment, _) in example_lines().items() if is_comment}
    result = boot({**optional, **GOOD}, "print(s.MODE, s.DEBUG, s.SECURE_SSL_REDIRECT)")
    assert result.stderr == ""
    assert result.stdout.split() == ["production", "False", "True"]


def test_provider_names_are_read_once_and_then_gone() -> None:
    ours = {
        "AI_GATEWAY_API_KEY": "of-openai",
        "ANTHROPIC_API_KEY": "of-anthropic",
        "OPENROUTER_API_KEY": "of-openrouter",
    }
    strangers = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "x", "OPENAI_ORG_ID": "x", "ANTHROPIC_AUTH_TOKEN": "x"}
    result = boot(
        {**GOOD, **ours, **strangers},
        "import json, os; print(json.dumps([s.PLATFORM_KEYS, sorted(os.environ)]))",
    )
    assert result.returncode == 0, result.stderr
    platform_keys, names = json.loads(result.stdout)
    assert platform_keys == {"openai": "of-openai", "anthropic": "of-anthropic", "openrouter": "of-openrouter"}
    assert "PUBLIC_URL" in names
    assert not [name for name in names if name.startswith(("OPENAI_", "ANTHROPIC_", "OPENROUTER_", "AI_GATEWAY_"))]
