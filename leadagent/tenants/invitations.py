"""Inviting people into an organisation: sent by an admin, accepted by the person at the address.

Every act and its audit event share one transaction. Errors are `MembershipError`s
whose text is a sentence for the person who tried.
"""

import secrets
from datetime import timedelta
from functools import partial

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from leadagent.tenants import audit
from leadagent.tenants.invitation_mail import send_invitation
from leadagent.tenants.membership import MembershipError
from leadagent.tenants.models import (
    INVITATION_LIFETIME,
    AuditEvent,
    Invitation,
    InvitationQuerySet,
    Membership,
    Organization,
    Role,
    User,
    hash_token,
)

MAX_INVITATIONS_PER_HOUR = 30


class AlreadyMember(MembershipError):
    pass


class AlreadyInvited(MembershipError):
    def __init__(self, email: str) -> None:
        super().__init__(f"{email} has an open invitation already. Send it again from the list below.")


class TooManyInvitations(MembershipError):
    def __init__(self) -> None:
        super().__init__(f"That makes more than {MAX_INVITATIONS_PER_HOUR} invitations in an hour. Try again later.")


class InvitationClosed(MembershipError):
    """Used, withdrawn, expired or never there: the reader cannot tell which."""

    def __init__(self) -> None:
        super().__init__("This invitation was used, withdrawn or has expired. Ask for a new one.")


class WrongAddress(MembershipError):
    def __init__(self, invitation: Invitation) -> None:
        super().__init__(
            f"This invitation is for {invitation.email}. Sign in with that address, "
            "or add it to your account and verify it."
        )


def invite(
    organization: Organization, *, email: str, role: Role, invited_by: User | None, request: HttpRequest | None = None
) -> Invitation:
    """Invite an address and email the link once the transaction is committed.

    `invited_by` None is the operator at the command line: no hourly limit holds. An expired
    invitation of the same address is opened again. Whether the email went out shows in
    `sent_at` afterwards. Raises AlreadyMember, AlreadyInvited, TooManyInvitations.
    """
    email = email.strip().lower()
    if _is_member(organization, email):
        raise AlreadyMember(f"{email} is a member of {organization.name} already.")
    try:
        with transaction.atomic():
            _check_invitation_rate(organization, invited_by)
            invitation = organization.invitations.select_for_update().pending().filter(email__iexact=email).first()
            if invitation and invitation.is_open:
                raise AlreadyInvited(email)
            invitation = invitation or Invitation(organization=organization, email=email)
            invitation.role, invitation.invited_by = role, invited_by
            _renew(invitation)
            audit.record(
                "invitation.sent",
                organization=organization,
                actor=invited_by,
                target=email,
                after={"role": role.value},
                request=request,
            )
    except IntegrityError:
        raise AlreadyInvited(email) from None
    return invitation


@transaction.atomic
def resend_invitation(invitation: Invitation, *, actor: User | None, request: HttpRequest | None = None) -> Invitation:
    """Email a new link with a new lifetime; the old link stops working. Raises TooManyInvitations, InvitationClosed.

    `actor` None is the operator, as in `invite`.
    """
    _check_invitation_rate(invitation.organization, actor)
    locked = _lock_pending(invitation.pk)
    _renew(locked)
    audit.record(
        "invitation.resent", organization=locked.organization, actor=actor, target=locked.email, request=request
    )
    return locked


@transaction.atomic
def withdraw_invitation(invitation: Invitation, *, actor: User, request: HttpRequest | None = None) -> None:
    """Delete an invitation nobody accepted; its link stops working. Raises InvitationClosed."""
    locked = _lock_pending(invitation.pk)
    audit.record(
        "invitation.withdrawn",
        organization=locked.organization,
        actor=actor,
        target=locked.email,
        before={"role": locked.role},
        request=request,
    )
    locked.delete()


@transaction.atomic
def accept_invitation(invitation: Invitation, *, user: User, request: HttpRequest | None = None) -> Membership:
    """Make the invited person a member; an invitation works once, whoever else tries at the same time.

    Raises InvitationClosed, WrongAddress (the address is not a verified one of the user), AlreadyMember.
    """
    locked = _lock_pending(invitation.pk)
    if not locked.is_open:
        raise InvitationClosed
    if locked.email.lower() not in verified_addresses(user):
        raise WrongAddress(locked)
    membership, created = Membership.objects.get_or_create(
        organization=locked.organization, user=user, defaults={"role": locked.role}
    )
    if not created:
        raise AlreadyMember(f"You are a member of {locked.organization.name} already.")
    locked.accepted_at = timezone.now()
    locked.save(update_fields=["accepted_at"])
    audit.record(
        "invitation.accepted",
        organization=locked.organization,
        actor=user,
        target=locked.email,
        after={"role": locked.role},
        request=request,
    )
    return membership


def open_invitations_of(user: User) -> InvitationQuerySet:
    """What the user could accept now, by the addresses they have verified."""
    return (
        Invitation.objects.open()
        .filter(email__in=verified_addresses(user))
        .exclude(organization__memberships__user=user)
        .select_related("organization", "invited_by")
        .order_by("pk")
    )


def verified_addresses(user: User) -> set[str]:
    addresses = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return {address.lower() for address in addresses}


def _renew(invitation: Invitation) -> None:
    """Give the invitation a fresh link and lifetime, and email it on commit."""
    token = secrets.token_urlsafe(32)
    invitation.token_hash = hash_token(token)
    invitation.expires_at = timezone.now() + INVITATION_LIFETIME
    invitation.sent_at = None
    changed = ("role", "invited_by", "token_hash", "expires_at", "sent_at")
    invitation.save(update_fields=changed if invitation.pk else None)
    transaction.on_commit(partial(send_invitation, invitation, token))


def _lock_pending(pk: int) -> Invitation:
    locked = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("organization", "invited_by")
        .pending()
        .filter(pk=pk)
        .first()
    )
    if locked is None:
        raise InvitationClosed
    return locked


def _is_member(organization: Organization, email: str) -> bool:
    verified = Q(user__emailaddress__email__iexact=email, user__emailaddress__verified=True)
    return organization.memberships.filter(Q(user__email__iexact=email) | verified).exists()


def _check_invitation_rate(organization: Organization, actor: User | None) -> None:
    if actor is None:
        return
    # Counted from the audit log: it is there when Redis is not, and moves with the transaction.
    sent = AuditEvent.objects.filter(
        Q(organization=organization) | Q(actor=actor),
        action__in=("invitation.sent", "invitation.resent"),
        created_at__gt=timezone.now() - timedelta(hours=1),
    )
    if sent.count() >= MAX_INVITATIONS_PER_HOUR:
        raise TooManyInvitations
