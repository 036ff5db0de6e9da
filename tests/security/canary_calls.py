"""Run inside the product's environment: every provider in every mode, through both SDK clients and the agent.

    python -m tests.security.canary_calls <marker>

Prints one JSON object: how many calls were made, and how they ended. Logs at DEBUG go to stderr,
tracebacks of the raw SDK errors included.
"""

import asyncio
import json
import logging
import sys
from collections import Counter
from typing import Any

import django


def main() -> None:
    django.setup()
    from byok.config.saving import save_ai_config
    from byok.errors import translated
    from byok.resolver import get_model_for_tenant
    from leadagent.tenants.models import Organization
    from tests.security.canary import PREFIXES, Canary, modes
    from usage.recording import durable

    logger = logging.getLogger("canary")
    for name in ("openai", "anthropic", "httpx2", "httpcore2", "pydantic_ai", "asyncio", ""):
        logging.getLogger(name).setLevel(logging.DEBUG)
    canary = Canary(sys.argv[1])
    organization = Organization.objects.create(name="Canary calls", slug="canary-calls")
    ends: Counter[str] = Counter()
    chat = {
        "openrouter": "openai/gpt-4o-mini",
        "openai": "gpt-4o-mini",
        "anthropic": "claude-haiku-4-5",
    }

    def note(how: str, act: Any) -> None:
        try:
            act()
        except Exception as error:
            # As careless code would: the whole chain, with repr and arguments.
            logger.exception("%s failed: %r %s", how, error, error.args)
            ends[type(error).__name__] += 1
        else:
            ends["ok"] += 1

    for provider in PREFIXES:
        for mode in modes(provider):
            key = canary.key(provider, mode)
            save_ai_config(organization, provider=provider, chat_model=chat[provider], api_key=key)
            model = get_model_for_tenant(organization, "chat", operation="research")
            logger.debug("resolved %r %s", model, vars(model.client()) if hasattr(model.client(), "__dict__") else "")

            def raw(model: Any = model, provider: str = provider) -> None:
                client: Any = model.client()
                message = [{"role": "user", "content": "Hello"}]
                if provider == "anthropic":
                    client.messages.create(model=model.model_id, max_tokens=50, messages=message)
                else:
                    for _ in client.chat.completions.create(model=model.model_id, messages=message, stream=True):
                        pass

            def agent(model: Any = model, provider: str = provider) -> None:
                from pydantic_ai import Agent

                with translated(provider):
                    asyncio.run(Agent(model.model(), retries=1).run("Hello"))

            note(f"{provider} {mode} sdk", raw)
            note(f"{provider} {mode} agent", agent)
    durable.close()
    print(json.dumps({"calls": sum(ends.values()), "ends": ends}))


if __name__ == "__main__":
    main()
