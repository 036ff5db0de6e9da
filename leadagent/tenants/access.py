"""Who may open a view: the one decorator every page under `/o/<org>/` wears.

Membership is looked up on every request, so a removed member is out at once.
Outsiders get 404, the same answer as for an organisation that does not exist.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from leadagent.http import HtmxHttpRequest
from leadagent.telemetry.context import bind
from leadagent.tenants.audit_trail.refusals import note_refusal
from leadagent.tenants.models import Membership, Role, User

P = ParamSpec("P")


def organization_view(
    needed: Role,
) -> Callable[[Callable[Concatenate[HtmxHttpRequest, P], HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Require membership of the organisation in the URL with at least the role `needed`.

    The view's URL carries `org` (the slug); the view itself receives the organisation
    and the membership on the request instead.
    """

    def decorate(view: Callable[Concatenate[HtmxHttpRequest, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, org: str, **kwargs: Any) -> HttpResponseBase:
            inside = cast("HtmxHttpRequest", request)
            inside.membership = membership_in(cast("User", request.user), org)
            inside.organization = inside.membership.organization
            bind(organization=inside.organization.slug)
            if not inside.membership.may(needed):
                note_refusal(inside, inside.organization, has=inside.membership.role, needed=needed.value)
                raise PermissionDenied(f"This needs the role {needed.label.lower()} in {inside.organization.name}.")
            return view(inside, *args, **kwargs)

        guarded.needed_role = needed  # type: ignore[attr-defined]  # read by the route test
        return guarded

    return decorate


def membership_in(user: User, slug: str) -> Membership:
    """The user's membership of the organisation with this slug, or 404."""
    try:
        return Membership.objects.select_related("organization").get(organization__slug=slug, user=user)
    except Membership.DoesNotExist:
        raise Http404("No such organisation.") from None
