"""Who calls the JSON API: an organisation's token, or a signed-in member.

    @router.post("", auth=token_or_member(Scope.LEADS_WRITE, Role.MEMBER))
    def add_lead(request: ApiRequest, payload: NewLead) -> ...:
        request.organization ...

Both set `request.organization`; nothing else may decide which organisation a call is about.
"""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from leadagent.telemetry.context import bind
from leadagent.tenants.access import membership_in
from leadagent.tenants.api_errors import ApiError
from leadagent.tenants.api_tokens import note_use
from leadagent.tenants.audit_trail.refusals import note_refusal
from leadagent.tenants.models import ApiToken, Membership, Organization, Role, Scope, User


class ApiRequest(HttpRequest):
    """A request that one of the classes below let in: either `api_token` or `membership` is set."""

    organization: Organization
    api_token: ApiToken | None
    membership: Membership | None


def token_or_member(scope: Scope, role: Role) -> list[Callable[[HttpRequest], Any]]:
    """The `auth=` of a call: a token with `scope`, or the session of a member with at least `role`."""
    return [BearerToken(scope), SessionMember(role)]


class BearerToken(HttpBearer):
    """`Authorization: Bearer lat_…`: the token names its organisation and must hold `scope`."""

    openapi_description = "API token of an organisation, made under Settings, API tokens."

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        """The live token. A wrong one is refused here: it never falls back to a session."""
        found = ApiToken.authenticate(token.strip())
        if found is None:
            raise ApiError(401, "invalid_token", "This API token is unknown or was revoked.")
        # A browser's cookie beside the token must not lend the call a person.
        request.user = AnonymousUser()
        request.api_token = found  # type: ignore[attr-defined]  # the audit log names it
        note_use(found, request=request)
        require_scope(found, self.scope, request=request)
        _let_in(request, found.organization, api_token=found)
        return found


def require_scope(token: ApiToken, scope: Scope, *, request: HttpRequest) -> None:
    """Raise 403 unless the token holds `scope`, or one that includes it."""
    if not any(Scope(held).includes(scope) for held in token.scopes):
        note_refusal(request, token.organization, has=", ".join(token.scopes), needed=scope.value)
        raise ApiError(403, "missing_scope", f"This API token lacks the scope {scope.value}.")


class SessionMember(APIKeyCookie):
    """A signed-in member with at least `role`; writing calls carry the CSRF token.

    The organisation is named by the header `X-Organization: <slug>`, which a user of
    exactly one organisation may leave out. Outsiders get 404, as if it did not exist.
    """

    param_name = settings.SESSION_COOKIE_NAME
    openapi_description = "Session of a signed-in member, with X-CSRFToken on calls that change something."

    def __init__(self, role: Role) -> None:
        self.role = role
        super().__init__(csrf=True)

    def __call__(self, request: HttpRequest) -> Membership | None:
        # Who is asked before CSRF, so that a caller with neither is told to sign in.
        if not request.user.is_authenticated:
            return None
        if check_csrf(request):
            raise ApiError(403, "csrf_failed", "Send the page's CSRF token in the header X-CSRFToken.")
        return self.authenticate(request, None)

    def authenticate(self, request: HttpRequest, key: str | None) -> Membership:
        user = cast("User", request.user)  # __call__ has looked
        slug = request.headers.get("X-Organization", "").strip()
        membership = membership_in(user, slug) if slug else _only_membership(user)
        if not membership.may(self.role):
            note_refusal(request, membership.organization, has=membership.role, needed=self.role.value)
            raise ApiError(403, "role_too_low", f"This needs the role {self.role.label.lower()}.")
        _let_in(request, membership.organization, membership=membership)
        return membership


def _only_membership(user: User) -> Membership:
    memberships = list(Membership.objects.select_related("organization").filter(user=user)[:2])
    if not memberships:
        raise ApiError(403, "no_organization", "You are in no organisation yet.")
    if len(memberships) > 1:
        raise ApiError(
            400,
            "organization_required",
            "You are in several organisations: name one in the header X-Organization.",
            field="X-Organization",
        )
    return memberships[0]


def _let_in(
    request: HttpRequest,
    organization: Organization,
    *,
    api_token: ApiToken | None = None,
    membership: Membership | None = None,
) -> None:
    bind(organization=organization.slug)
    request.organization = organization  # type: ignore[attr-defined]  # from here on it is an ApiRequest
    request.api_token = api_token  # type: ignore[attr-defined]
    request.membership = membership  # type: ignore[attr-defined]
