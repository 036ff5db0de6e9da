"""Names of models that no name can be come back in their field, told at it."""

import pytest
from django.test import Client
from django.urls import reverse

from byok.config.saving import save_ai_config
from leadagent.tenants.models import Membership
from tests.byok.keys import KEYS
from tests.people import admin

__all__ = ["admin"]

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("field", ["chat_model", "model_research", "further_research_1"])
@pytest.mark.parametrize("page", ["settings", "test_key"])
def test_a_name_with_nul(page: str, field: str, admin: Membership) -> None:
    """PostgreSQL takes no NUL: the page that shows the refused form asked for such a name."""
    save_ai_config(admin.organization, provider="openrouter", chat_model="openai/gpt-4o", api_key=KEYS["openrouter"])
    client = Client()
    client.force_login(admin.user)
    typed = {"provider": "openrouter", "chat_model": "openai/gpt-4o", "api_key": "x", "version": "1", field: "a\0b"}
    answer = client.post(reverse(f"byok:{page}", args=[admin.organization.slug]), typed)
    assert answer.status_code == 422
    assert b'aria-invalid="true"' in answer.content or b"key" in answer.content
