"""What the TypeScript system wrote: its way of sealing, and tenants as its schema has them."""

import secrets
from io import StringIO
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.management import CommandError, call_command

from tests.byok.keys import KEYS

# Where the tests put the old secret (see `old_secret` in conftest).
NAME = "OLD_SECRET_OF_THE_TEST"
OLD_SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
MODELS = {
    "openrouter": ("anthropic/claude-sonnet-5.5", "text-embedding-3-small"),
    "openai": ("openai/gpt-5", "text-embedding-3-small"),
    "anthropic": ("anthropic/claude-sonnet-5-5", "text-embedding-3-small"),
    "platform_default": ("gpt-4", "text-embedding-3-small"),
}


def seal(api_key: str, secret: str = OLD_SECRET) -> str:
    """`encryptApiKey` of the old system: random 16-byte IV, no associated data, `iv:authTag:encrypted` in hex."""
    iv = secrets.token_bytes(16)
    sealed = AESGCM(bytes.fromhex(secret)).encrypt(iv, api_key.encode(), None)
    return f"{iv.hex()}:{sealed[-16:].hex()}:{sealed[:-16].hex()}"


def tenant(
    number: int = 1, provider: str | None = "openrouter", *, key: str | None = "", **config: Any
) -> dict[str, Any]:
    """A tenant of the export. `key`: its key in the clear, "" for one that fits, None for no key; `config`: more of aiConfig."""
    made: dict[str, Any] = {"id": f"00000000-{number:04}", "clerkOrgId": f"org_{number}", "name": f"Tenant {number}"}
    if provider is None:
        return made | {"aiConfig": None}
    chat, embedding = MODELS[provider]
    made["aiConfig"] = {
        "provider": provider,
        "models": {"chat": chat, "embedding": embedding},
        "usageTracking": True,
        **config,
    }
    key = KEYS.get(provider) if key == "" else key
    if key is not None:
        made["aiConfig"]["encryptedApiKey"] = seal(key)
    return made


def import_file(file: str, *options: str, secret: bool = True, fails: bool = False) -> str:
    """`import_tenants`: its report, with the last sentence of a run that ends with exit code 1."""
    out = StringIO()
    arguments = [file, *options, *(["--legacy-secret-env", NAME] if secret else [])]
    failure: CommandError | None = None
    try:
        call_command("import_tenants", *arguments, stdout=out, stderr=StringIO())
    except CommandError as error:
        failure = error
    assert (failure is not None) == fails, f"{out.getvalue()}{failure}"
    assert failure is None or failure.returncode == 1
    return f"{out.getvalue()}{failure or ''}"


def line(report: str, position: int = 1) -> str:
    """What a report says about the tenant at `position`."""
    return next(text for text in report.splitlines() if text.startswith(f"{position:>6}  "))
