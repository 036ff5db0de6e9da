"""The change of an embedding model as the knowledge page shows it: a sentence, a meter, what one may do."""

from dataclasses import dataclass
from functools import partial

from django.urls import reverse

from leadagent.http import HtmxHttpRequest
from leadagent.leads.knowledge.model_change import Progress
from leadagent.leads.models import ReembeddingState
from leadagent.tenants.models import Role


@dataclass(frozen=True, slots=True)
class ReembeddingPanel:
    """`kind` and `word` as for a status line. Addresses are empty for what is not offered."""

    kind: str
    word: str
    detail: str
    model: str
    done: int
    total: int
    is_moving: bool = False
    resume_url: str = ""
    cancel_url: str = ""
    start_url: str = ""

    @property
    def text(self) -> str:
        return f"{self.done:,} of {self.total:,} passages"


def reembedding_panel(request: HtmxHttpRequest, progress: Progress | None) -> ReembeddingPanel | None:
    """What is shown while the model changes, and after that was cancelled; None otherwise."""
    if progress is None:
        return None
    address = {
        act: reverse(f"leads:knowledge_reembedding_{act}", args=[request.organization.slug])
        if request.membership.may(Role.ADMIN)
        else ""
        for act in ("start", "resume", "cancel")
    }
    shown = partial(ReembeddingPanel, model=progress.model, done=progress.done, total=progress.total)
    match progress.state:
        case ReembeddingState.RUNNING:
            detail = "Searches go on with the former model until all passages are done."
            return shown(
                "busy",
                "Changing the embedding model",
                f"{progress.sentence} {detail}".strip(),
                is_moving=True,
                cancel_url=address["cancel"],
            )
        case ReembeddingState.PAUSED:
            return shown(
                "warn",
                "The change of the embedding model is paused",
                f"{progress.sentence} Searches go on with the former model; what is done is kept.",
                resume_url=address["resume"],
                cancel_url=address["cancel"],
            )
        case _:
            return shown(
                "info",
                "Searches use the former embedding model",
                "The change was cancelled. Passages are found by the model that they were prepared with.",
                start_url=address["start"],
            )
