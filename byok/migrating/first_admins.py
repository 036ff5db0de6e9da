"""Inviting the first admins of organisations that were brought over: Clerk had their people, we have none."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import TextIO

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from byok.migrating.importing import Outcome, State
from leadagent.tenants.invitations import AlreadyInvited, AlreadyMember, invite, resend_invitation
from leadagent.tenants.membership import MembershipError
from leadagent.tenants.models import Invitation, InvitationQuerySet, Organization, Role

_HEADER = ("clerkOrgId", "email")


class DamagedList(Exception):
    """The list of admins is no CSV of `clerkOrgId,email`."""


def read_admins(stream: TextIO) -> Iterator[tuple[str, str]]:
    """Pairs of Clerk id and address from a CSV with or without its header. Raises `DamagedList`."""
    rows = csv.reader(stream)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or tuple(cells) == _HEADER:
                continue
            if len(cells) != len(_HEADER):
                raise DamagedList(f"Line {rows.line_num} has not the two columns clerkOrgId,email.")
            yield cells[0], cells[1]
    except (csv.Error, UnicodeDecodeError):
        raise DamagedList(f"Line {rows.line_num + 1} cannot be read as CSV in UTF-8.") from None


def invite_first_admin(
    position: int, external_id: str, email: str, *, is_coming: Callable[[str], bool], dry_run: bool = False
) -> Outcome:
    """Invite `email` as admin of the organisation with this Clerk id, once; tells what was done.

    An invitation whose email the mail server did not take is sent again, one that is open is left alone.
    `is_coming`: whether a dry run found an organisation of this id, which it took back.
    """

    def outcome(state: State, reason: str = "", slug: str = "") -> Outcome:
        return Outcome(position, external_id, state, slug, reason)

    try:
        validate_email(email)
    except ValidationError:
        return outcome(State.FAILED, "email: this is no email address")
    organization = Organization.objects.filter(external_id=external_id).first()
    if organization is None:
        if dry_run and is_coming(external_id):
            return outcome(State.CREATED, f"{email} is invited as admin")
        return outcome(State.FAILED, "clerkOrgId: no organisation was brought over with this id")
    try:
        with transaction.atomic():
            state, reason = _invite(organization, email)
            if dry_run:
                transaction.set_rollback(True)
    except MembershipError as error:
        return outcome(State.FAILED, str(error), organization.slug)
    if (
        not dry_run
        and state is not State.UNCHANGED
        and not _pending(organization, email).exclude(sent_at=None).exists()
    ):
        return outcome(State.FAILED, f"the mail server did not take the invitation of {email}", organization.slug)
    return outcome(state, reason, organization.slug)


def _invite(organization: Organization, email: str) -> tuple[State, str]:
    try:
        invite(organization, email=email, role=Role.ADMIN, invited_by=None)
    except AlreadyMember:
        return State.UNCHANGED, f"{email} is a member"
    except AlreadyInvited:
        invitation = _pending(organization, email).get()
        if invitation.sent_at is not None:
            return State.UNCHANGED, f"{email} has an open invitation"
        resend_invitation(invitation, actor=None)
        return State.UPDATED, f"{email} is sent the invitation again"
    return State.CREATED, f"{email} is invited as admin"


def _pending(organization: Organization, email: str) -> InvitationQuerySet:
    return Invitation.objects.pending().filter(organization=organization, email__iexact=email)
