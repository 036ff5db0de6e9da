"""A provider that is asked about a key, without any wire: see the fixture `asked`."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from byok.checking.reports import ConnectionReport, LineState, ReportLine


class Asked:
    """Stands where the provider is asked; answers each question with `states`, "ok" where it names none."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.states: dict[str, LineState] = {}
        self.meanwhile: Any = None

    def __call__(
        self, provider: str, api_key: str, *, chat_models: Sequence[str], embedding_model: str, **more: Any
    ) -> ConnectionReport:
        self.calls.append({"provider": provider, "key": api_key, "chat": list(chat_models), "emb": embedding_model})
        if self.meanwhile:
            self.meanwhile()
        lines = [ReportLine("key", "Key", self.states.get("key", LineState.OK), "Key line.")]
        if "credit" in self.states:
            lines.append(ReportLine("credit", "Credit", self.states["credit"], "Credit line."))
        lines += [
            ReportLine("chat_model", "Chat", self.states.get(name, LineState.OK), "Chat.", model=name)
            for name in chat_models
        ]
        if embedding_model:
            state = self.states.get(embedding_model, LineState.OK)
            lines.append(ReportLine("embedding_model", "Embedding", state, "Embedding.", model=embedding_model))
        return ConnectionReport(provider, timezone.now(), lines)
