"""Answers that break off, and what OpenRouter tells of them afterwards."""

from datetime import timedelta
from typing import Any

import httpx2
import openai
import pytest
from django.utils import timezone

from byok.resolver import TenantModel
from tests.byok.fake_provider import STREAM, FakeProvider, chat, streamed
from usage.models import UnsettledCall

# As https://openrouter.ai/docs/api/api-reference/generations/get-generation shows it (November 2026).
GENERATION: dict[str, Any] = {
    "id": "gen-1",
    "total_cost": 0.000123,
    "upstream_inference_cost": 0.0001,
    "is_byok": False,
    "cancelled": True,
    "native_tokens_prompt": 1000,
    "native_tokens_cached": 400,
    "native_tokens_completion": 70,
    "native_tokens_reasoning": 20,
}


def cut(model: TenantModel, fake: FakeProvider) -> None:
    """One stream that breaks off after its first events."""
    fake.answer = lambda request: streamed(STREAM[model.provider][:2], then=httpx2.ReadError("reset"))
    with pytest.raises(openai.APIConnectionError):
        for _ in chat(model, stream=True):
            pass


def again() -> None:
    UnsettledCall.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
