"""Who looks after a lead: only people who may work on leads, and nobody who has left."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from django.db import connections
from django.test import Client

from leadagent.leads.inbox.assignment import NotAssignable, assign_lead, assignees_of
from leadagent.leads.models import Category, Lead, Qualification, StepName
from leadagent.leads.running.leases import complete_step
from leadagent.leads.running.workflow import start_run
from leadagent.tenants.membership import change_role, remove_member
from leadagent.tenants.models import AuditEvent, Membership, Role, User
from tests.factories import MembershipFactory
from tests.leads.factories import OUTCOMES, LeadFactory, claimed, run_for

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


@pytest.fixture
def lead(member: Membership) -> Lead:
    return LeadFactory(organization=member.organization)


def assign(client: Client, lead: Lead, to: str) -> int:
    return client.post(f"/o/acme/leads/{lead.pk}/assign/", {"to": to}).status_code


def holder(lead: Lead) -> User | None:
    return Lead.objects.get(pk=lead.pk).assigned_to


def test_assign_to_me_to_a_colleague_and_to_nobody(
    member: Membership, admin: Membership, signed_in: SignIn, lead: Lead
) -> None:
    client = signed_in(member)

    assert assign(client, lead, "me") == 302
    assert holder(lead) == member.user
    assert assign(client, lead, str(admin.user.pk)) == 302
    assert holder(lead) == admin.user
    page = client.get(f"/o/acme/leads/{lead.pk}/").content.decode()
    assert admin.user.display_name in page
    assert admin.user.display_name in client.get("/o/acme/leads/").content.decode()
    assert assign(client, lead, "") == 302
    assert holder(lead) is None
    told = AuditEvent.objects.filter(action="lead.assigned").order_by("pk").values_list("before", "after")
    assert list(told) == [
        ({"assigned_to": None}, {"assigned_to": "member@acme.test"}),
        ({"assigned_to": "member@acme.test"}, {"assigned_to": "admin@acme.test"}),
        ({"assigned_to": "admin@acme.test"}, {"assigned_to": None}),
    ]


def test_what_is_so_already_is_no_news(member: Membership, lead: Lead) -> None:
    assert assign_lead(lead, member.user, by=member.user)
    assert not assign_lead(lead, member.user, by=member.user)
    assert AuditEvent.objects.filter(action="lead.assigned").count() == 1


def test_a_viewer_gives_and_gets_nothing(member: Membership, viewer: Membership, signed_in: SignIn, lead: Lead) -> None:
    assert assign(signed_in(viewer), lead, "me") == 403
    assert assign(signed_in(member), lead, str(viewer.user.pk)) == 302
    assert holder(lead) is None
    assert "assign/" not in signed_in(viewer).get(f"/o/acme/leads/{lead.pk}/").content.decode()


@pytest.mark.parametrize("asked", ["0", "-1", "x", "9" * 30, "٣", "1.0", "\x00"])
def test_nonsense_names_nobody(member: Membership, signed_in: SignIn, lead: Lead, asked: str) -> None:
    assert assign(signed_in(member), lead, asked) == 302
    assert holder(lead) is None


def test_people_of_other_organisations_cannot_be_given_leads(member: Membership, signed_in: SignIn, lead: Lead) -> None:
    outsider = MembershipFactory(role=Role.ADMIN)

    assert assign(signed_in(member), lead, str(outsider.user.pk)) == 302
    assert holder(lead) is None
    with pytest.raises(NotAssignable):
        assign_lead(lead, outsider.user, by=member.user)
    assert outsider.user not in assignees_of(lead.organization)


def test_accounts_that_are_switched_off_cannot_be_given_leads(admin: Membership, member: Membership) -> None:
    lead = LeadFactory(organization=admin.organization)
    User.objects.filter(pk=member.user_id).update(is_active=False)

    assert member.user not in assignees_of(admin.organization)
    with pytest.raises(NotAssignable):
        assign_lead(lead, member.user, by=admin.user)


def test_who_is_removed_has_no_leads_here_and_keeps_those_elsewhere(admin: Membership, member: Membership) -> None:
    elsewhere = MembershipFactory(user=member.user, role=Role.MEMBER)
    here, there = LeadFactory(organization=member.organization), LeadFactory(organization=elsewhere.organization)
    others = LeadFactory(organization=member.organization)
    assign_lead(here, member.user, by=None)
    assign_lead(there, member.user, by=None)
    assign_lead(others, admin.user, by=None)

    remove_member(member, actor=admin.user)

    assert holder(here) is None
    assert holder(there) == member.user
    assert holder(others) == admin.user


def test_who_is_made_a_viewer_has_none_either(admin: Membership, member: Membership, lead: Lead) -> None:
    assign_lead(lead, member.user, by=None)
    change_role(member, role=Role.ADMIN, actor=admin.user)
    assert holder(lead) == member.user

    change_role(Membership.objects.get(pk=member.pk), role=Role.VIEWER, actor=admin.user)

    assert holder(lead) is None


def test_a_lead_outlives_the_account_that_looked_after_it(member: Membership, lead: Lead) -> None:
    assign_lead(lead, member.user, by=None)
    member.user.delete()
    assert holder(lead) is None


# --- The stored verdict ---------------------------------------------------------------


def test_a_lead_keeps_its_verdict_until_a_newer_run_has_another(lead: Lead) -> None:
    run = run_for(lead, done=3)
    assert Lead.objects.get(pk=lead.pk).category == Category.QUALIFIED

    newer = start_run(lead)
    complete_step(claimed(newer), OUTCOMES[StepName.RESEARCH])
    assert Lead.objects.get(pk=lead.pk).category == Category.QUALIFIED, "the newer run has none yet"

    verdict = replace(OUTCOMES[StepName.QUALIFICATION], qualification=Qualification(Category.SUPPORT, "Broken.", 0.7))
    complete_step(claimed(newer), verdict)
    assert Lead.objects.get(pk=lead.pk).category == Category.SUPPORT
    run.refresh_from_db()
    assert run.category == Category.QUALIFIED


# --- Races ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_who_is_removed_while_leads_are_given_to_them_ends_with_none() -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    for _ in range(10):
        leaving = MembershipFactory(organization=admin.organization, role=Role.MEMBER)
        leads = [LeadFactory(organization=admin.organization) for _ in range(4)]
        start = Barrier(len(leads) + 1)

        def give(lead: Lead, start: Barrier = start, to: User = leaving.user) -> bool:
            try:
                start.wait()
                return assign_lead(lead, to, by=None)
            except NotAssignable:
                return False
            finally:
                connections.close_all()

        def remove(start: Barrier = start, membership: Membership = leaving) -> None:
            try:
                start.wait()
                remove_member(membership, actor=admin.user)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(leads) + 1) as pool:
            removal = pool.submit(remove)
            list(pool.map(give, leads))
            removal.result()
        assert not Lead.objects.filter(assigned_to=leaving.user).exists()
    assert Lead.objects.filter(assigned_to=None).count() == 40
