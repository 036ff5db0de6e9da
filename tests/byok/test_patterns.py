"""The Python in CLAUDE.md runs and does what it says: every block, in its order, on the fake transport."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from byok.catalog.recommendations import OPERATION_LABELS
from byok.catalog.selecting import PER_OPERATION
from byok.config.forms import AIConfigForm
from byok.config.saving import save_ai_config
from byok.config.values import CHAT_OPERATIONS, OPERATIONS
from byok.errors import AIError
from leadagent.leads.models import StepName
from leadagent.tenants.models import Organization, Role
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import EMBEDDINGS, OPENAI_CHAT, STREAM, FakeProvider, streamed
from tests.byok.keys import KEYS
from tests.leads.factories import LeadFactory, run_for
from tests.project.documents import Block, blocks
from tests.project.files import ROOT
from usage.alerting.forms import OPERATIONS as BUDGETS

BLOCKS = [block for block in blocks(ROOT / "CLAUDE.md") if block.language == "python"]
Rows = Callable[[], list[Any]]


def run(block: Block, namespace: dict[str, Any]) -> dict[str, Any]:
    exec(compile(block.text, block.name, "exec"), namespace)  # the page's own text
    return namespace


def block_of(heading: str) -> Block:
    (found,) = [block for block in BLOCKS if block.heading == heading]
    return found


def tool_call(name: str, **arguments: Any) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        ],
    }
    return OPENAI_CHAT | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


@pytest.fixture
def names(organization: Organization) -> dict[str, Any]:
    """What the page takes for granted: an organisation with a key, a lead with its run, a message."""
    save_ai_config(organization, provider="openai", chat_model="gpt-4o-mini", api_key=KEYS["openai"])
    lead = LeadFactory(organization=organization)
    messages = [{"role": "user", "content": "Hello"}]
    return {"organization": organization, "lead": lead, "run": run_for(lead), "messages": messages}


@pytest.fixture
def with_model(names: dict[str, Any], fake: FakeProvider) -> dict[str, Any]:
    fake.answers(200, OPENAI_CHAT)
    return run(block_of("Making an AI call"), names)


def test_every_block_has_a_test_here() -> None:
    assert [block.heading for block in BLOCKS] == [
        "Making an AI call",
        "Streaming",
        "Typed answers and tools",
        "Embeddings",
        "Errors",
        "Testing a call",
        "A page",
    ]


def test_a_call(with_model: dict[str, Any], rows: Rows) -> None:
    assert with_model["answer"].choices[0].message.content == "Hello"
    (row,) = rows()
    assert (row.operation, row.lead_id, row.run_id) == (
        "qualification",
        with_model["lead"].pk,
        with_model["run"].pk,
    )


def test_a_stream(with_model: dict[str, Any], fake: FakeProvider, rows: Rows) -> None:
    fake.answer = lambda request: streamed(STREAM["openai"])
    assert "".join(run(block_of("Streaming"), with_model)["parts"]) == "Hello"
    _, row = rows()
    assert (row.streamed, row.input_tokens + row.cached_input_tokens) == (True, 1000)


def test_a_typed_answer_with_a_tool(with_model: dict[str, Any], fake: FakeProvider, rows: Rows) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        asked = json.loads(request.content)
        if any(message["role"] == "tool" for message in asked["messages"]):
            return httpx2.Response(200, json=tool_call("final_result", fits=True, because="40 people."))
        return httpx2.Response(200, json=tool_call("people_at", company="Acme"))

    fake.answer = answer
    fit = run(block_of("Typed answers and tools"), with_model)["fit"]
    assert (fit.fits, fit.because) == (True, "40 people.")
    # The first one is the call before.
    assert [row.lead_id for row in rows()] == [with_model["lead"].pk] * 3
    assert "<lead_data>" in json.dumps(fake.body)


def test_embeddings(names: dict[str, Any], fake: FakeProvider, rows: Rows) -> None:
    fake.answers(200, EMBEDDINGS)
    assert run(block_of("Embeddings"), names)["vectors"] == [[0.5, -0.5]]
    (row,) = rows()
    assert (row.operation, row.model) == ("embedding", "text-embedding-3-small")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("rate_limited", ("again", 7.0)),
        ("invalid_key", ("stop", "OpenAI refused the key.")),
        ("quota_exhausted", ("stop", "This month's free AI requests are used up.")),
        ("content_refused", ("give_up", "OpenAI refused the content of this request.")),
    ],
)
def test_what_errors_say_is_done(code: str, expected: tuple[str, Any]) -> None:
    def ask() -> None:
        raise AIError(code, provider="openai", retry_after=7.0)

    told: list[tuple[str, Any]] = []
    acts: dict[str, Any] = {
        name: lambda what, name=name: told.append((name, what)) for name in ("again", "stop", "give_up")
    }
    run(block_of("Errors"), {})["answer_or_wait"](ask, **acts)
    ((act, what),) = told
    assert act == expected[0]
    assert what == expected[1] or str(what).startswith(str(expected[1]))


def test_the_example_of_a_test_passes_and_can_fail(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    example = run(block_of("Testing a call"), {})["test_a_call_leaves_one_row"]
    example(tenant, fake, rows)
    with pytest.raises(ValueError, match="too many values"):
        example(tenant, fake, rows)


def test_the_example_of_a_page_is_guarded() -> None:
    view = run(block_of("A page"), {"__name__": "example"})["lead"]
    assert view.needed_role == Role.VIEWER


def test_the_lists_of_operations_agree() -> None:
    """What the page says has to be extended for a new operation."""
    fields = set(AIConfigForm.base_fields)
    assert {name for name in fields if name.startswith("model_")} == {f"model_{name}" for name in CHAT_OPERATIONS}
    assert {name for name in fields if name.startswith("fallback_")} == {f"fallback_{name}" for name in OPERATIONS}
    assert {name for name in fields if name.startswith("further_")} == {
        f"further_{name}_{place}" for name in CHAT_OPERATIONS for place in (1, 2, 3)
    }
    assert set(OPERATION_LABELS) == set(BUDGETS) - {""} == set(OPERATIONS)
    assert {purpose.value for purpose in PER_OPERATION} == set(StepName.values) == set(CHAT_OPERATIONS)
