"""Vectors of texts, by the organisation's own embedding model or, by its consent, the same model at the platform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from byok import resolver
from byok.calls.platform_fallback import Fallback, OnPlatform, own_key_first
from byok.config.embedding_choice import EmbeddingChoice, embedding_in_force
from byok.config.values import bare_model_name
from byok.errors import AIError, translated
from byok.models import PLATFORM_DEFAULT
from byok.providers import REGISTRY
from byok.providers.base import BatchLimits, Provider
from leadagent.leads.knowledge.answered_vectors import read_vectors
from leadagent.leads.knowledge.batches import in_batches
from leadagent.leads.running.run_state import lock_run, note_platform_use
from leadagent.tenants import audit

if TYPE_CHECKING:
    from openai import OpenAI

    from leadagent.leads.models import Lead, WorkflowRun
    from leadagent.tenants.models import Organization

# A call is given up after these seconds: well below the time after which its worker counts as lost.
BATCH_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors and the model they compare within, named without its vendor.

    `taken_over`: why the platform's AI made them in place of the own key, as it follows
    "because"; empty where it did not.
    """

    vectors: list[list[float]]
    model: str
    taken_over: str = ""


def generate_embedding(
    organization: Organization, text: str, *, lead: Lead | None = None, run: WorkflowRun | None = None
) -> list[float]:
    """The vector of one text by the chosen model. Raises `AIError`."""
    return generate_embeddings(organization, [text], lead=lead, run=run).vectors[0]


def generate_embeddings(
    organization: Organization,
    texts: list[str],
    *,
    choice: EmbeddingChoice | None = None,
    lead: Lead | None = None,
    run: WorkflowRun | None = None,
    granted: bool = False,
    timeout: float | None = None,
) -> Embeddings:
    """Vectors of `texts`, in their order. `timeout` in seconds per call. Raises `AIError`.

    All are held in memory at once: whoever stores what is paid for uses `batches_of_embeddings`.
    """
    batches = list(
        batches_of_embeddings(organization, texts, choice=choice, lead=lead, run=run, granted=granted, timeout=timeout)
    )
    return Embeddings(
        [vector for batch in batches for vector in batch.vectors],
        batches[-1].model if batches else "",
        batches[-1].taken_over if batches else "",
    )


def batches_of_embeddings(
    organization: Organization,
    texts: Sequence[str],
    *,
    choice: EmbeddingChoice | None = None,
    lead: Lead | None = None,
    run: WorkflowRun | None = None,
    granted: bool = False,
    timeout: float | None = None,
) -> Iterator[Embeddings]:
    """Vectors of `texts`, in their order, one call at a time and as each is asked for. Raises `AIError`.

    `choice`: an embedding model other than the chosen one. Where the own key fails and the organisation
    consents, the platform's AI goes on with the same model. `granted`: a person has decided
    so, as the run's own grant says for a run.
    """
    granted = granted or (run is not None and "embedding" in run.platform_grant)
    choice = choice or embedding_in_force(organization)
    fallback: Fallback | None = None
    for part in in_batches(texts, limits_of(choice)):
        ask = partial(_embed, organization, list(texts[part]), choice, lead=lead, run=run, timeout=timeout)
        if fallback is None:
            batch, fallback = own_key_first(organization, "embedding", ask, granted=granted)
            if isinstance(fallback, OnPlatform):
                _note_platform_use(organization, run, fallback.error.code)
        else:
            # The own key or model has failed a moment ago, and the batches before this one are paid for.
            batch = ask(fallback)
        taken_over = fallback.reason if isinstance(fallback, OnPlatform) else ""
        yield Embeddings(batch.vectors, batch.model, taken_over)


def limits_of(choice: EmbeddingChoice | None) -> BatchLimits:
    """What one call to the choice's provider may carry."""
    name = "" if choice is None else choice.provider
    if name == PLATFORM_DEFAULT:
        name = settings.PLATFORM_PROVIDER
    return REGISTRY[name].embedding_batch if name in REGISTRY else Provider.embedding_batch


def _embed(
    organization: Organization,
    texts: list[str],
    choice: EmbeddingChoice | None,
    fallback: Fallback | None,
    *,
    lead: Lead | None,
    run: WorkflowRun | None,
    timeout: float | None,
) -> Embeddings:
    """One call."""
    model = resolver.get_model_for_tenant(
        organization,
        "embedding",
        operation="embedding",
        lead=lead.pk if lead else None,
        run=run.pk if run else None,
        fallback=fallback,
        instead=choice,
    )
    name = bare_model_name(model.model_id)
    if fallback is not None and choice is not None and name != choice.name:
        # What would stand in is the model that is chosen now, and what is wanted is still another one.
        raise fallback.error or AIError("bad_response", provider=model.provider)
    # Only providers with the OpenAI wire offer embeddings.
    client = cast("OpenAI", model.client()).with_options(timeout=timeout or BATCH_SECONDS)
    with translated(model.provider):
        answer = client.embeddings.create(model=model.model_id, input=texts, encoding_format="float")
    vectors = read_vectors(answer, count=len(texts))
    if vectors is None:
        raise AIError("bad_response", provider=model.provider)
    return Embeddings(vectors, name)


def _note_platform_use(organization: Organization, run: WorkflowRun | None, code: str) -> None:
    if run is None:
        after = {"operation": "embedding", "because": code}
        audit.record("fallback.used", organization=organization, target="knowledge base", after=after)
        return
    with transaction.atomic():
        locked = lock_run(run.pk)
        if locked is not None:
            note_platform_use(locked, "embedding", code, timezone.now())
