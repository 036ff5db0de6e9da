"""Rows for tests: a user, an organisation, a place in it.

`MembershipFactory()` makes all three; `MembershipFactory(user__email="a@b.test", role=Role.ADMIN)`
names parts of them. Every user made here has the password `PASSWORD` and a verified address,
so that `client.force_login` and the real sign-in form both work; `UserFactory(verified=False)`
leaves the address unverified. Membership is a plain member unless `role` says otherwise.
"""

# factory-boy's declarations carry no types.
# mypy: disable-error-code="no-untyped-call"

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from allauth.account.models import EmailAddress
from factory.declarations import Sequence, SubFactory
from factory.django import DjangoModelFactory

from leadagent.tenants.models import Membership, Organization, Role, User

PASSWORD = "correct horse battery staple"

Row = TypeVar("Row")


class Make(Protocol[Row]):
    """What a factory does, in types: factory-boy's own say that calling one gives a factory."""

    def __call__(self, **fields: Any) -> Row: ...

    def build(self, **fields: Any) -> Row: ...

    def create_batch(self, size: int, **fields: Any) -> list[Row]: ...


class _UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = Sequence(lambda n: f"person{n}@example.test")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        verified = kwargs.pop("verified", True)
        password = kwargs.pop("password", PASSWORD)
        user = model_class.objects.create_user(password=password, **kwargs)
        EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)
        return user


class _OrganizationFactory(DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    name = Sequence(lambda n: f"Organisation {n}")
    slug = Sequence(lambda n: f"organisation-{n}")


class _MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    organization = SubFactory(_OrganizationFactory)
    user = SubFactory(_UserFactory)
    role = Role.MEMBER


if TYPE_CHECKING:
    UserFactory: Make[User]
    OrganizationFactory: Make[Organization]
    MembershipFactory: Make[Membership]
else:
    UserFactory, OrganizationFactory, MembershipFactory = _UserFactory, _OrganizationFactory, _MembershipFactory
