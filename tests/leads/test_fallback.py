"""A run whose own key fails: it goes on with the platform's AI by consent, and says so; or it asks, or it stops."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from byok.errors import AIError
from byok.models import AIConfig
from byok.providers import REGISTRY
from leadagent.leads import tasks
from leadagent.leads.emails.deciding import edit_draft
from leadagent.leads.emails.rewrite_fallback import NothingToGrant, grant_rewrite
from leadagent.leads.emails.rewriting import ask_for_rewrite, perform_rewrite
from leadagent.leads.knowledge import find_passages, indexing
from leadagent.leads.knowledge.documents import replace_document
from leadagent.leads.knowledge.embedding import generate_embeddings
from leadagent.leads.models import (
    Chunk,
    ChunkVector,
    Document,
    DocumentStatus,
    EmailDraft,
    RewriteStatus,
    RunStatus,
    StepStatus,
    WorkflowRun,
)
from leadagent.leads.running.workflow import RunConflict, cancel_run, grant_platform, resume_run
from leadagent.tenants.models import AuditEvent, Membership, Organization, Role
from tests.factories import MembershipFactory, UserFactory
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import DocumentFactory, LeadFactory, draft_under_review, run_for

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
Work = Callable[[WorkflowRun], WorkflowRun]
REASON = "OpenAI refused the key"
LINE = f"with the platform&#x27;s AI, because {REASON}."


def trouble(code: str = "invalid_key") -> AIError:
    return AIError(code, provider="openai")


def say(organization: Organization, word: str, *operations: str) -> None:
    """Acme has a provider of its own and says `word` for the operations, all chat ones by default."""
    names = operations or ("research", "qualification", "email_generation")
    AIConfig.objects.update_or_create(
        organization=organization,
        defaults={
            "provider": "openai",
            "chat_model": "gpt",
            "embedding_provider": "openai",
            "embedding_model": "text-embedding-3-small",
            "fallback": dict.fromkeys(names, word),
        },
    )


@pytest.fixture(autouse=True)
def platform(settings: Settings) -> None:
    settings.PLATFORM_PROVIDER, settings.PLATFORM_KEYS = "openai", {"openai": "sk-proj-PLATFORMplatform0000"}
    settings.PLATFORM_EMBEDDING_MODEL = "text-embedding-3-small"


@pytest.fixture
def run(organization: Organization) -> WorkflowRun:
    return run_for(LeadFactory(organization=organization))


@pytest.fixture
def work(nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Work:
    """`work(run)`: what workers do until nobody is told to go on at once; the run as it is then."""

    def until_quiet(run: WorkflowRun) -> WorkflowRun:
        nudges.sent = [("advance_run", run.pk, timedelta(0))]
        while due := [entry for entry in nudges.take() if entry[2] == timedelta(0)]:
            for _, run_id, _ in due:
                with django_capture_on_commit_callbacks(execute=True):
                    tasks.advance_run(str(run_id))
        return WorkflowRun.objects.select_related("lead", "organization").get(pk=run.pk)

    return until_quiet


def told(action: str) -> list[tuple[str, Any]]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk").values_list("target", "after"))


def page(client: Client, run: WorkflowRun) -> str:
    return client.get(f"/o/acme/leads/{run.lead_id}/").content.decode()


# --- Allow ---


def test_an_allowed_step_is_repeated_at_once_and_the_run_says_so(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    viewer: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "allow")
    provider.fail_with["qualification"] = trouble()

    run = work(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    assert provider.exchanges == [
        ("research", "own"),
        ("qualification", "own"),
        ("qualification", "platform"),
        # The next step tries the own key first again.
        ("email_generation", "own"),
    ]
    steps = {step.name: step for step in run.steps.all()}
    assert [(name, step.on_platform, step.attempts) for name, step in steps.items()] == [
        ("research", False, 1),
        ("qualification", True, 1),
        ("email_generation", False, 1),
    ]
    assert (steps["qualification"].platform_code, steps["qualification"].platform_reason) == ("invalid_key", REASON)
    assert told("fallback.used") == [(f"run {run.pk}", {"operation": "qualification", "because": "invalid_key"})]
    client = signed_in(viewer)
    assert page(client, run).count(f"Done {LINE}") == 1
    in_api = client.get(f"/api/leads/{run.lead_id}").json()["run"]["steps"]
    assert [(step["on_platform"], step["platform_reason"]) for step in in_api] == [
        (False, ""),
        (True, REASON),
        (False, ""),
    ]


def test_the_audit_log_is_told_once_per_run(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work
) -> None:
    say(organization, "allow")
    provider.fail_with = {name: trouble("no_credit") for name in ("research", "qualification", "email_generation")}

    run = work(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    assert [step.on_platform for step in run.steps.all()] == [True, True, True]
    assert len(told("fallback.used")) == 1


def test_a_key_that_is_missing_when_resolving_costs_no_call(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(organization, "allow")
    resolve = provider.get_model_for_tenant

    def without_a_key(*args: Any, **kwargs: Any) -> Any:
        if kwargs["fallback"] is None:
            raise trouble("config_missing")
        return resolve(*args, **kwargs)

    monkeypatch.setattr("byok.resolver.get_model_for_tenant", without_a_key)

    assert work(run).status == RunStatus.AWAITING_REVIEW
    assert provider.exchanges == [(name, "platform") for name in ("research", "qualification", "email_generation")]


@pytest.mark.parametrize("code", ["content_refused", "context_too_long", "model_not_found", "region_refused"])
def test_what_fails_on_any_key_stops_as_before(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, code: str
) -> None:
    say(organization, "allow")
    provider.fail_with["research"] = trouble(code)

    run = work(run)

    assert run.error_code == code
    assert provider.exchanges == [("research", "own")]
    assert told("fallback.used") == []


def test_the_free_tier_may_be_used_up(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "allow")
    provider.fail_with |= {"research": trouble(), "research platform": trouble("quota_exhausted")}

    run = work(run)

    assert (run.status, run.error_code) == (RunStatus.PAUSED, "quota_exhausted")
    assert run.error_sentence == trouble("quota_exhausted").sentence
    # Nothing left for the platform's AI, so nothing of it was used.
    assert told("fallback.used") == []
    shown = page(signed_in(member), run)
    assert f"Tried {LINE}" in shown
    assert "for this run" not in shown


def test_a_passing_trouble_of_the_platform_is_waited_for(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work
) -> None:
    say(organization, "allow")
    provider.fail_with |= {"research": trouble(), "research platform": trouble("overloaded")}

    run = work(run)

    step = run.steps.get(name="research")
    assert (run.status, step.status, step.on_platform) == (RunStatus.WAITING, StepStatus.PENDING, True)
    assert len(told("fallback.used")) == 1


def test_the_next_attempt_starts_with_a_clean_slate(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work
) -> None:
    say(organization, "allow")
    provider.fail_with |= {"research": trouble(), "research platform": trouble("quota_exhausted")}
    run = work(run)
    provider.fail_with.clear()

    run = work(resume_run(run))

    assert run.status == RunStatus.AWAITING_REVIEW
    assert not run.steps.filter(on_platform=True).exists()
    assert not run.steps.exclude(platform_reason="").exists()


# --- A rewrite ---


@pytest.fixture
def failed_rewrite(organization: Organization, provider: FakeProvider) -> EmailDraft:
    """A draft whose rewrite has failed because of the own key, in an organisation that wants to be asked."""
    say(organization, "ask")
    provider.fail_with["email_generation"] = trouble()
    draft = draft_under_review(organization=organization)
    asked = ask_for_rewrite(draft, "Shorter.", subject="Mine", body="Mine.", by=UserFactory(), version=draft.version)
    perform_rewrite(asked.pk)
    draft.refresh_from_db()
    assert draft.rewrites.get().status == RewriteStatus.FAILED
    return draft


def test_a_member_lets_the_platform_do_one_rewrite(
    failed_rewrite: EmailDraft,
    provider: FakeProvider,
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    draft, client = failed_rewrite, signed_in(member)
    where = f"/o/acme/drafts/{draft.pk}/rewrite/fallback/"
    assert f'action="{where}"' in page(client, draft.run)
    assert "50 of 50 are left" in page(client, draft.run)

    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(where).headers["Location"] == f"/o/acme/leads/{draft.run.lead_id}/"

    assert nudges.names == ["rewrite_email"]
    assert told("fallback.granted") == [
        (f"email {draft.pk}", {"operations": ["email_generation"], "because": "invalid_key"})
    ]
    perform_rewrite(draft.rewrites.get().pk)
    assert provider.exchanges == [("email_generation", "own")] * 2 + [("email_generation", "platform")]
    draft.refresh_from_db()
    assert draft.body == "Dear Ann,\n\nshall we talk?"
    assert draft.rewrites.get().platform_reason == REASON
    assert told("fallback.used") == [
        (f"run {draft.run_id}", {"operation": "email_generation", "because": "invalid_key"})
    ]
    assert "Rewritten with the platform" in page(client, draft.run)

    # The next one asks again.
    again = ask_for_rewrite(draft, "Longer.", subject="Mine", body="Mine again.", by=member.user, version=draft.version)
    perform_rewrite(again.pk)
    again.refresh_from_db()
    assert again.status == RewriteStatus.FAILED
    assert where in page(client, draft.run)


def test_what_the_platform_could_not_do_either_is_not_offered_again(
    failed_rewrite: EmailDraft, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    provider.fail_with["email_generation platform"] = trouble()
    rewrite = grant_rewrite(failed_rewrite, by=member.user)
    perform_rewrite(rewrite.pk)

    rewrite.refresh_from_db()
    assert rewrite.status == RewriteStatus.FAILED
    assert "rewrite/fallback/" not in page(signed_in(member), failed_rewrite.run)
    with pytest.raises(NothingToGrant):
        grant_rewrite(failed_rewrite, by=member.user)


@pytest.mark.parametrize("word", ["never", "allow"])
def test_a_rewrite_is_offered_where_people_are_asked(
    organization: Organization, failed_rewrite: EmailDraft, member: Membership, signed_in: SignIn, word: str
) -> None:
    say(organization, word)

    assert "rewrite/fallback/" not in page(signed_in(member), failed_rewrite.run)
    with pytest.raises(NothingToGrant):
        grant_rewrite(failed_rewrite, by=member.user)


def test_a_rewrite_of_a_text_that_has_gone_on_is_not_offered(failed_rewrite: EmailDraft, member: Membership) -> None:
    edit_draft(failed_rewrite, subject="New", body="New.", by=member.user, version=failed_rewrite.version)
    with pytest.raises(NothingToGrant):
        grant_rewrite(failed_rewrite, by=member.user)
    assert told("fallback.granted") == []


def test_viewers_and_strangers_let_nothing_rewrite(
    failed_rewrite: EmailDraft, viewer: Membership, member: Membership, signed_in: SignIn
) -> None:
    where = f"/o/acme/drafts/{failed_rewrite.pk}/rewrite/fallback/"
    assert where not in page(signed_in(viewer), failed_rewrite.run)
    assert signed_in(viewer).post(where).status_code == 403
    elsewhere = MembershipFactory(role=Role.MEMBER)
    foreign = f"/o/{elsewhere.organization.slug}/drafts/{failed_rewrite.pk}/rewrite/fallback/"
    assert signed_in(elsewhere).post(foreign).status_code == 404
    assert told("fallback.granted") == []


# --- Ask ---


def test_asked_a_member_lets_the_run_go_on(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    say(organization, "ask")
    provider.fail_with = {name: trouble() for name in ("research", "qualification", "email_generation")}
    run = work(run)
    assert (run.status, run.error_sentence) == (RunStatus.PAUSED, trouble().sentence)
    assert provider.exchanges == [("research", "own")]
    client = signed_in(member)
    address = f"/o/acme/runs/{run.pk}/fallback/"
    shown = page(client, run)
    assert "OpenAI refused the key." in shown
    assert f'action="{address}"' in shown
    assert "50 of 50 are left" in shown

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(address)

    assert response.headers["Location"] == f"/o/acme/leads/{run.lead_id}/"
    assert nudges.names == ["advance_run"]
    event = AuditEvent.objects.get(action="fallback.granted")
    assert (event.actor, event.target) == (member.user, f"run {run.pk}")
    assert event.after == {"operations": ["research", "qualification", "email_generation"], "because": "invalid_key"}

    run = work(run)
    assert run.status == RunStatus.AWAITING_REVIEW
    assert [step.on_platform for step in run.steps.all()] == [True, True, True]
    assert len(told("fallback.used")) == 1
    assert page(client, run).count(f"Done {LINE}") == 3


def test_a_grant_is_for_one_run(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    grant_platform(work(run), by=member.user)
    assert work(run).status == RunStatus.AWAITING_REVIEW

    other = work(run_for(LeadFactory(organization=organization)))

    assert other.status == RunStatus.PAUSED


def test_a_grant_does_not_outlive_the_consent(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    run = work(run)
    grant_platform(run, by=member.user)
    say(organization, "never")

    assert work(run).status == RunStatus.PAUSED
    assert ("research", "platform") not in provider.exchanges


def test_a_viewer_is_offered_nothing_and_may_not_press_it(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    viewer: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    run = work(run)
    client = signed_in(viewer)
    assert "fallback/" not in page(client, run)
    assert client.post(f"/o/acme/runs/{run.pk}/fallback/").status_code == 403
    assert told("fallback.granted") == []


def test_the_button_asks_for_the_csrf_token_and_for_ones_own_organisation(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    run = work(run)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member.user)
    assert strict.post(f"/o/acme/runs/{run.pk}/fallback/").status_code == 403
    elsewhere = MembershipFactory(user=member.user)
    lax = Client()
    lax.force_login(member.user)
    assert lax.post(f"/o/{elsewhere.organization.slug}/runs/{run.pk}/fallback/").status_code == 404
    assert lax.get(f"/o/acme/runs/{run.pk}/fallback/").status_code == 405
    assert told("fallback.granted") == []


@pytest.mark.parametrize("code", ["content_refused", "overloaded", "region_refused"])
def test_nothing_is_offered_for_other_troubles(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, member: Membership, code: str
) -> None:
    say(organization, "ask")
    provider.fail_with["research"] = trouble(code)
    run = work(run)
    with pytest.raises(RunConflict, match="nothing that the platform's AI could go on with"):
        grant_platform(run, by=member.user)


def test_nothing_is_offered_where_never_was_said_or_the_run_has_ended(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "never")
    provider.fail_with["research"] = trouble()
    run = work(run)
    client = signed_in(member)
    assert "fallback/" not in page(client, run)
    shown = client.post(f"/o/acme/runs/{run.pk}/fallback/", follow=True).content.decode()
    assert "nothing that the platform" in shown

    say(organization, "ask")
    cancel_run(run)
    assert "fallback/" not in page(client, run)
    with pytest.raises(RunConflict):
        grant_platform(run, by=member.user)


def test_without_free_requests_there_is_no_button(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
    settings: Settings,
) -> None:
    settings.FREE_TIER_REQUESTS = 0
    say(organization, "ask")
    provider.fail_with["research"] = trouble()
    shown = page(signed_in(member), work(run))
    assert "They are used up until next month." in shown
    assert "fallback/" not in shown


# --- The knowledge base ---


def ready(organization: Organization) -> Document:
    document = DocumentFactory(organization=organization, status=DocumentStatus.READY, searchable_version=1)
    chunk = Chunk.objects.create(organization=organization, document=document, position=0, text="Ten dollars a month.")
    ChunkVector.objects.create(
        organization=organization, chunk=chunk, model="text-embedding-3-small", dimension=2, embedding=[1.0, 1.0]
    )
    return document


def test_a_search_goes_on_by_consent_and_finds_what_the_own_key_made(
    organization: Organization, provider: FakeProvider
) -> None:
    ready(organization)
    say(organization, "allow", "embedding")
    provider.fail_with["embedding"] = trouble("no_credit")

    found = find_passages(organization, "price")

    assert [passage.content for passage in found.passages] == ["Ten dollars a month."]
    assert found.taken_over == "the account at OpenAI has no credit left"
    assert provider.exchanges == [("embedding", "own"), ("embedding", "platform")]
    assert told("fallback.used") == [("knowledge base", {"operation": "embedding", "because": "no_credit"})]


def test_batches_before_the_failure_are_not_paid_twice(organization: Organization, provider: FakeProvider) -> None:
    say(organization, "allow", "embedding")
    embed = provider.embed

    def fails_in_the_second_batch(texts: list[str]) -> list[list[float]]:
        if provider.exchanges == [("embedding", "own")] * 2:
            raise trouble("no_credit")
        return embed(texts)

    provider.embed = fails_in_the_second_batch

    made = generate_embeddings(organization, ["text"] * (3 * REGISTRY["openai"].embedding_batch.inputs))

    assert len(made.vectors) == 3 * REGISTRY["openai"].embedding_batch.inputs
    assert [where for _, where in provider.exchanges] == ["own", "own", "platform", "platform"]
    assert len(told("fallback.used")) == 1


def test_research_says_that_the_platform_searched(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    viewer: Membership,
    signed_in: SignIn,
) -> None:
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import AgentInfo

    def asks_once(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse(parts=[ToolCallPart("query_knowledge_base", {"question": "price"})])
        return ModelResponse(parts=[TextPart("Ten dollars.")])

    ready(organization)
    say(organization, "allow", "embedding")
    provider.research = asks_once
    provider.fail_with["embedding"] = trouble()

    run = work(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    assert not run.steps.filter(on_platform=True).exists()
    assert told("fallback.used") == [(f"run {run.pk}", {"operation": "embedding", "because": "invalid_key"})]
    assert f"The knowledge base was searched {LINE}" in page(signed_in(viewer), run)


def test_a_person_decides_for_one_search(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    ready(organization)
    say(organization, "ask", "embedding")
    provider.fail_with["embedding"] = trouble()
    client = signed_in(member)
    asked = client.post("/o/acme/knowledge/search/", {"query": "price"})
    assert asked.status_code == 409
    assert "Search with the platform" in asked.content.decode()
    assert provider.exchanges == [("embedding", "own")]

    answered = client.post("/o/acme/knowledge/search/", {"query": "price", "on_platform": "yes"})

    assert answered.status_code == 200
    assert "Ten dollars a month." in answered.content.decode()
    assert f"Searched with the platform's AI, because {REASON}." in answered.content.decode()
    assert told("fallback.granted") == [("knowledge base search", {"operations": ["embedding"]})]


def test_the_button_is_worth_nothing_where_never_was_said(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    ready(organization)
    say(organization, "never", "embedding")
    provider.fail_with["embedding"] = trouble()
    answered = signed_in(member).post("/o/acme/knowledge/search/", {"query": "price", "on_platform": "yes"})
    assert answered.status_code == 409
    assert "Search with the platform" not in answered.content.decode()
    assert provider.exchanges == [("embedding", "own")]
    assert told("fallback.granted") == []


def test_a_person_decides_for_one_document(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    say(organization, "ask", "embedding")
    provider.fail_with["embedding"] = trouble()
    document = DocumentFactory(organization=organization)
    indexing.index_document(document.pk)
    client = signed_in(member)
    assert "Prepare with the platform" in client.get("/o/acme/knowledge/").content.decode()

    client.post(f"/o/acme/knowledge/{document.pk}/again/", {"on_platform": "yes"})
    indexing.index_document(document.pk)

    document.refresh_from_db()
    assert (document.status, document.platform_reason) == (DocumentStatus.READY, REASON)
    assert told("fallback.granted") == [(f"document {document.pk}", {"operations": ["embedding"]})]
    assert f"Prepared {LINE}" in client.get("/o/acme/knowledge/").content.decode()

    # A new text on the own key takes both back.
    del provider.fail_with["embedding"]
    replace_document(document, "Twenty dollars a month.")
    indexing.index_document(document.pk)
    document.refresh_from_db()
    assert (document.platform_granted, document.platform_reason) == (False, "")


def test_a_document_is_not_prepared_by_the_platform_without_an_offer(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    say(organization, "never", "embedding")
    provider.fail_with["embedding"] = trouble()
    document = DocumentFactory(organization=organization)
    indexing.index_document(document.pk)
    client = signed_in(member)
    assert "Prepare with the platform" not in client.get("/o/acme/knowledge/").content.decode()
    client.post(f"/o/acme/knowledge/{document.pk}/again/", {"on_platform": "yes"})
    document.refresh_from_db()
    assert not document.platform_granted
    assert told("fallback.granted") == []
