"""Users, organisations and who may do what in them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone

from leadagent.tenants.audit_models import AuditChain, AuditEvent
from leadagent.tenants.names import validate_name, validate_slug

__all__ = [
    "INVITATION_LIFETIME",
    "ApiToken",
    "AuditChain",
    "AuditEvent",
    "Invitation",
    "InvitationQuerySet",
    "Membership",
    "Organization",
    "OrganizationQuerySet",
    "Role",
    "Scope",
    "User",
    "UserManager",
    "hash_token",
]


class UserManager(BaseUserManager["User"]):
    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        if not email:
            raise ValueError("A user needs an email address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person, known by email address. What they may do follows from their memberships."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_case_insensitive")]

    def __str__(self) -> str:
        return self.email

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.email.partition("@")[0]


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    MEMBER = "member", "Member"
    ADMIN = "admin", "Admin"

    @property
    def rank(self) -> int:
        return ("viewer", "member", "admin").index(self.value)

    def allows(self, needed: Role) -> bool:
        """True where a person of this role may do what `needed` may."""
        return self.rank >= needed.rank


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def of_user(self, user: User) -> OrganizationQuerySet:
        return self.filter(memberships__user=user).order_by("name")


class Organization(models.Model):
    """A customer. Everything a tenant owns hangs on a foreign key named `organization`."""

    name = models.CharField(max_length=80, validators=[validate_name])
    slug = models.SlugField(max_length=50, unique=True, validators=[validate_slug])
    # The id in the system that the organisation was brought over from, such as Clerk's `org_…`.
    external_id = models.CharField(max_length=100, unique=True, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        verbose_name = "organisation"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("leads:list", args=[self.slug])


class Membership(models.Model):
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="one_membership_per_user")]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization} ({self.role})"

    def may(self, needed: Role) -> bool:
        return Role(self.role).allows(needed)


INVITATION_LIFETIME = timedelta(days=7)


def hash_token(token: str) -> str:
    """SHA-256 of a token that we made ourselves: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def pending(self) -> InvitationQuerySet:
        """Not accepted; expired ones too, which an admin may send again."""
        return self.filter(accepted_at=None)

    def open(self) -> InvitationQuerySet:
        """What can still be accepted."""
        return self.pending().filter(expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A pending place in an organisation. The link's token is stored as its hash only."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    # When the mail server took the latest email; empty where it has not.
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                condition=models.Q(accepted_at=None),
                name="one_open_invitation_per_email",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization}"

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.expires_at > timezone.now()


class Scope(models.TextChoices):
    CONFIG_READ = "config:read", "Read the AI configuration"
    CONFIG_WRITE = "config:write", "Change the AI configuration"
    USAGE_READ = "usage:read", "Read usage and costs"
    LEADS_READ = "leads:read", "Read leads and their notes"
    LEADS_WRITE = "leads:write", "Hand in, read and change leads"

    def includes(self, needed: Scope) -> bool:
        """Whether a token with this scope may do what `needed` may: who writes leads has always read them too."""
        return self == needed or (self == Scope.LEADS_WRITE and needed == Scope.LEADS_READ)


class ApiToken(models.Model):
    """An organisation's token for the JSON API: shown once, stored as its SHA-256."""

    PREFIX = "lat_"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, validators=[validate_name])
    token_hash = models.CharField(max_length=64, unique=True)
    last4 = models.CharField(max_length=4)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} (…{self.last4})"

    @classmethod
    def issue(
        cls, organization: Organization, *, name: str, scopes: list[str], created_by: User | None
    ) -> tuple[ApiToken, str]:
        """Create a token and return it with its text, which is never to be seen again."""
        text = cls.PREFIX + secrets.token_urlsafe(32)
        token = cls.objects.create(
            organization=organization,
            name=name,
            token_hash=hash_token(text),
            last4=text[-4:],
            scopes=scopes,
            created_by=created_by,
        )
        return token, text

    @classmethod
    def authenticate(cls, text: str) -> ApiToken | None:
        """The live token with this text, or None. `tenants.api_tokens.note_use` writes down that it was used."""
        digest = hash_token(text)
        token = cls.objects.select_related("organization").filter(token_hash=digest, revoked_at=None).first()
        if token is None or not hmac.compare_digest(token.token_hash, digest):
            return None
        return token
