"""Imported organisations get their first admin by an invitation, once."""

from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from leadagent.tenants.models import Invitation, Membership, Organization, Role
from tests.byok.keys import KEYS
from tests.byok.old_system import import_file, tenant
from tests.factories import UserFactory


@pytest.mark.django_db(transaction=True)
class TestFirstAdmins:
    @pytest.fixture
    def admins(self, tmp_path: Path) -> Any:
        def write(*pairs: tuple[str, str]) -> str:
            path = tmp_path / "admins.csv"
            path.write_text("".join(f"{external_id},{email}\n" for external_id, email in pairs))
            return str(path)

        return write

    def test_an_imported_organisation_without_members_breaks_nothing_and_gets_its_admin(
        self, written: Any, admins: Any, client: Client
    ) -> None:
        report = import_file(written(tenant(1)))
        assert (
            "1 imported organisations have neither members nor an open invitation. Invite their first admins" in report
        )
        organization = Organization.objects.get()
        support = UserFactory(email="support@example.test", is_staff=True)
        client.force_login(support)
        for page in (f"/admin/tenants/organization/{organization.pk}/change/", "/in/tenant-1/"):
            assert client.get(page).status_code == 200, page
        assert client.get("/o/tenant-1/settings/ai/").status_code == 404
        client.logout()
        report = import_file(written(tenant(1)), "--invite-admins", admins(("org_1", "ada@example.test")))
        assert "created    org_1 as tenant-1: ada@example.test is invited as admin" in report
        assert "neither members" not in report
        assert [message.to for message in mail.outbox] == [["ada@example.test"]]
        ada = UserFactory(email="ada@example.test")
        client.force_login(ada)
        link = next(word for word in mail.outbox[0].body.split() if "/invitations/" in word)
        client.post(link.partition("//")[2].partition("/")[2].join(["/", ""]))
        assert Membership.objects.get(organization=organization).role == Role.ADMIN
        shown = client.get("/o/tenant-1/settings/ai/")
        assert shown.status_code == 200
        assert KEYS["openrouter"] not in shown.content.decode()
        report = import_file(written(tenant(1)), "--invite-admins", admins(("org_1", "ada@example.test")))
        assert "unchanged  org_1 as tenant-1: ada@example.test is a member" in report
        assert "neither members" not in report

    def test_each_is_invited_once_and_again_where_the_mail_did_not_go_out(
        self, written: Any, admins: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = written(*[tenant(n, None) for n in range(1, 41)])
        everybody = admins(*[(f"org_{n}", f"admin{n}@example.test") for n in range(1, 41)])
        with monkeypatch.context() as patch:
            patch.setattr("django.core.mail.EmailMultiAlternatives.send", _refuse)
            report = import_file(file, "--invite-admins", everybody, fails=True)
        assert "40 failed" in report
        assert "the mail server did not take the invitation of admin7@example.test" in report
        # More than a person may send in an hour.
        assert "0 created, 40 updated" in import_file(file, "--invite-admins", everybody)
        assert "40 unchanged" in import_file(file, "--invite-admins", everybody).splitlines()[-1]
        assert sorted(message.to[0] for message in mail.outbox) == sorted(
            f"admin{n}@example.test" for n in range(1, 41)
        )
        assert Invitation.objects.filter(role=Role.ADMIN, invited_by=None).count() == 40

    def test_what_is_wrong_in_the_list(self, written: Any, admins: Any, tmp_path: Path) -> None:
        file = written(tenant(1, None))
        report = import_file(
            file, "--invite-admins", admins(("org_1", "nobody"), ("org_2", "a@example.test")), fails=True
        )
        assert "failed     org_1: email: this is no email address" in report
        assert "failed     org_2: clerkOrgId: no organisation was brought over with this id" in report
        (tmp_path / "one.csv").write_text("org_1\n")
        assert "Line 1 has not the two columns" in import_file(
            file, "--invite-admins", str(tmp_path / "one.csv"), fails=True
        )


def _refuse(*_: object, **__: object) -> int:
    raise OSError("no mail today")
