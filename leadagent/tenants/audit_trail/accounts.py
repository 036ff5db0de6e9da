"""What people do to their own account, told to every organisation they are in.

An organisation is as safe as the accounts of its members: it learns when one of them signs in
or out, changes password or address, or switches two-factor sign-in. Connected in `apps.py`.
"""

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

# What a change of password does to the person's other browsers.
_OTHERS_OUT = {"other_sessions": "ended"}


def note_account(
    action: str,
    user: User,
    request: HttpRequest | None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write the event once for each organisation of the person; for support staff also outside of all."""
    places: list[Organization | None] = list(Organization.objects.filter(memberships__user=user).order_by("pk"))
    if user.is_staff:
        places.append(None)
    with transaction.atomic():
        for place in places:
            audit.record(
                action,
                organization=place,
                actor=user,
                target=user.email,
                before=before,
                after=after,
                request=request,
            )


@receiver(account_signals.user_logged_in, dispatch_uid="audit_signed_in")
def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    note_account("account.signed_in", user, request)


@receiver(user_logged_out, dispatch_uid="audit_signed_out")
def signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    # None where the session was over already.
    if user is not None:
        note_account("account.signed_out", user, request)


@receiver([account_signals.password_changed, account_signals.password_set], dispatch_uid="audit_password_changed")
def password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    note_account("account.password_changed", user, request, after=_OTHERS_OUT)


@receiver(account_signals.password_reset, dispatch_uid="audit_password_reset")
def password_reset(request: HttpRequest, user: User, **_: Any) -> None:
    note_account("account.password_reset", user, request, after=_OTHERS_OUT)


@receiver(account_signals.email_changed, dispatch_uid="audit_email_changed")
def email_changed(request: HttpRequest, user: User, from_email_address: Any, to_email_address: Any, **_: Any) -> None:
    before = {"address": from_email_address.email} if from_email_address else None
    note_account("account.email_changed", user, request, before=before, after={"address": to_email_address.email})


@receiver(mfa_signals.authenticator_added, dispatch_uid="audit_mfa_added")
def authenticator_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    is_codes = authenticator.type == Authenticator.Type.RECOVERY_CODES
    note_account("account.recovery_codes_made" if is_codes else "account.mfa_enabled", user, request)


@receiver(mfa_signals.authenticator_reset, dispatch_uid="audit_mfa_reset")
def authenticator_reset(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    note_account("account.recovery_codes_made", user, request)


@receiver(mfa_signals.authenticator_removed, dispatch_uid="audit_mfa_removed")
def authenticator_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    # The codes go with the second factor; that they are gone is no news of its own.
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        note_account("account.mfa_disabled", user, request)
