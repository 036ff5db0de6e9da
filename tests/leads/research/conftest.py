"""The agent with a fake internet, and models that do what a test says."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo
from pydantic_ai.usage import RequestUsage

from leadagent.leads.models import WorkflowRun
from leadagent.tenants.models import Organization
from tests.leads.factories import LeadFactory, run_for
from tests.project.fake_internet import Network, answer

Model = Callable[[list[ModelMessage], AgentInfo], ModelResponse]
PAGE = (
    b"<html><head><title>Gears Ltd</title><meta name='Generator' content='Hugo 0.150'>"
    b"<script src='https://js.stripe.com/v3/'></script></head><body><nav><a href='/offer?id=7'>Offer</a></nav>"
    b"<main><h1>Gears Ltd</h1><p>Gears Ltd makes gears for wind turbines in Leeds, with eighty people, since 1972.</p>"
    b"<p>Our customers run more than four thousand turbines in eleven countries, on land and at sea, and every one of "
    b"them turns on gears that were cut, hardened and measured by the people whom you can meet in our workshop.</p>"
    b"<p>We answer every request for a quote by hand, which takes us two to three days, and we would like to be faster "
    b"than that, because those who answer first most often get the order.</p></main></body></html>"
)


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Every host answers with the same page; names have no DNS records but those of `records`."""
    network = Network(pages=[answer(PAGE, server="nginx/1.29", set_cookie="PHPSESSID=x")]).on(monkeypatch)
    monkeypatch.setattr(
        "leadagent.leads.research.tech_stack.dns_records", lambda domain: {"MX": ["10 aspmx.l.google.com."]}
    )
    return network


@pytest.fixture
def run(organization: Organization) -> WorkflowRun:
    return run_for(LeadFactory(organization=organization, email="ann@gears.example"))


def scripted(*answers: Any, tokens: int = 100) -> Model:
    """A model that gives `answers` one after the other, again and again the last: text, or (tool, arguments), or a list."""
    given = iter(answers)
    last: list[Any] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        said = next(given, None)
        last[:] = [said] if said is not None else last
        if isinstance(last[0], Exception):
            raise last[0]
        parts = last[0] if isinstance(last[0], list) else [last[0]]
        return ModelResponse(
            parts=[TextPart(part) if isinstance(part, str) else ToolCallPart(part[0], part[1]) for part in parts],
            usage=RequestUsage(input_tokens=tokens - tokens // 10, output_tokens=tokens // 10),
        )

    return model


def results_of(messages: list[ModelMessage]) -> list[str]:
    """What the tools have answered so far."""
    return [str(part.content) for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
