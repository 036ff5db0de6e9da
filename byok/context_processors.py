"""What pages of an organisation say about its AI wherever one is on them."""

from typing import Any

from django.http import HttpRequest

from byok.config.ai_config import byok_allowed
from byok.models import PLATFORM_DEFAULT, AIConfig


def own_keys(request: HttpRequest) -> dict[str, Any]:
    """`own_keys_off`: the organisation has set up a provider of its own, and the operator has switched that off."""
    membership = getattr(request, "membership", None)
    if membership is None or byok_allowed(membership.organization):
        return {}
    own = AIConfig.objects.filter(organization=membership.organization).exclude(provider=PLATFORM_DEFAULT)
    return {"own_keys_off": own.exists()}
