"""What the shell (navigation, banners) needs on every page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from leadagent.tenants.models import Organization, Role


def shell(request: HttpRequest) -> dict[str, Any]:
    """The current organisation, the user's others, and what the role may reach."""
    context: dict[str, Any] = {"sandbox_enabled": settings.SANDBOX_ENABLED}
    membership = getattr(request, "membership", None)
    if membership is None:
        return context
    return context | {
        "organization": membership.organization,
        "membership": membership,
        "is_admin": membership.may(Role.ADMIN),
        "is_member": membership.may(Role.MEMBER),
        "organizations": Organization.objects.of_user(request.user),  # type: ignore[arg-type]
    }
