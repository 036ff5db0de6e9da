"""Models of providers that the packaged file knows nothing of: those that the provider's own file names."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from byok.catalog.listing import ListedModel
from byok.models import Capability, ModelKind
from byok.providers import REGISTRY, Provider


def named_models(*, known: Collection[str], checked: date) -> list[ListedModel]:
    """The models that files of providers begin with, of the providers that are not `known`; without prices."""
    others = [entry for entry in REGISTRY.values() if entry.id not in known]
    # To take tools is what a chat model is named there for.
    tools = (Capability.TOOLS.value,)
    return [
        *(_listed(entry, name, ModelKind.CHAT, tools, checked) for entry in others for name, _ in entry.chat_models),
        *(
            _listed(entry, name, ModelKind.EMBEDDING, (), checked)
            for entry in others
            for name in entry.embedding_models
        ),
    ]


def _listed(
    entry: Provider, model_id: str, kind: ModelKind, capabilities: tuple[str, ...], checked: date
) -> ListedModel:
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, facts = get_snapshot().find_provider_model(model_id, None, entry.price_source, None)
    except LookupError:
        facts = None
    vendor, slash, _ = model_id.partition("/")
    return ListedModel(
        route=entry.id,
        model_id=model_id,
        vendor=vendor if slash else entry.id,
        name=(facts and facts.name) or model_id,
        kind=kind.value,
        context_window=facts.context_window if facts else None,
        capabilities=capabilities,
        source="packaged",
        checked_on=checked,
    )
