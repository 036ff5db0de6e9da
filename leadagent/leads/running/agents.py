"""Asking the tenant's model: prompts that keep data apart from instructions, typed answers, limits.

Imports pydantic-ai, as `research.watching` does: import it inside a function, it costs seconds.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.framing import register_tag, wrap
from pydantic_ai.usage import UsageLimits

from byok import resolver
from byok.calls.platform_fallback import Fallback
from byok.errors import AIError, translated
from leadagent.leads.models import Lead, Qualification, WorkflowRun
from leadagent.leads.running import event_loop
from leadagent.tenants.models import Organization

STEP_SECONDS = 900.0
LEAD_DATA = register_tag("lead_data")
RESEARCH_REPORT = register_tag("research_report")
QUALIFICATION = register_tag("qualification")
CURRENT_EMAIL = register_tag("current_email")

T = TypeVar("T")
Answer = TypeVar("Answer", bound=BaseModel)


class Reason(BaseModel):
    """One reason for the verdict."""

    statement: str = Field(description="What speaks for the verdict, in one sentence.")
    quote: str = Field(
        description="The passage that shows it, copied word for word from one place of the research report or of the "
        "lead's message. Not a summary, and nothing left out in its middle."
    )
    source: Literal["report", "message"] = Field(description="Where the quote stands.")


def _ask_for_reasons(schema: dict[str, Any]) -> None:
    """A model is told to give reasons; a verdict without any is still one."""
    schema["required"].append("reasons")


class Verdict(BaseModel):
    """How the lead is to be treated."""

    model_config = ConfigDict(json_schema_extra=_ask_for_reasons)

    category: Literal["QUALIFIED", "UNQUALIFIED", "SUPPORT", "FOLLOW_UP"] = Field(
        description="QUALIFIED: fits and wants to buy. UNQUALIFIED: no fit. SUPPORT: an existing customer with a "
        "problem. FOLLOW_UP: more has to be known first."
    )
    reason: str = Field(description="Two or three sentences that a sales person can check.")
    confidence: float = Field(ge=0, le=1, description="How sure the verdict is, from 0 to 1.")
    reasons: list[Reason] = Field(
        default_factory=list, description="One to five reasons, the weightiest first, each with a quote."
    )


class Reply(BaseModel):
    """The email to the lead."""

    subject: str = Field(description="The subject line.")
    body: str = Field(description="The text of the email, plain text.")


def lead_prompt(lead: Lead, *, report: str | None = None, qualification: Qualification | None = None) -> str:
    """What is known about the lead, each part in a tag that its text cannot close or open."""
    facts = {
        "name": lead.name,
        "email": lead.email,
        "company": lead.company,
        "phone": lead.phone,
        "message": lead.message,
    }
    parts = [wrap(LEAD_DATA, json.dumps(facts, ensure_ascii=False))]
    if report is not None:
        parts.append(wrap(RESEARCH_REPORT, report))
    if qualification is not None:
        verdict: dict[str, Any] = {"category": qualification.category, "reason": qualification.reason}
        if found := [reason for reason in qualification.reasons if reason.is_found]:
            verdict["reasons"] = [{"statement": reason.statement, "quote": reason.quote} for reason in found]
        parts.append(wrap(QUALIFICATION, json.dumps(verdict, ensure_ascii=False)))
    return "\n".join(parts)


def current_email(subject: str, body: str) -> str:
    """A draft that is to be written anew, in a tag of its own."""
    return "\n" + wrap(CURRENT_EMAIL, json.dumps({"subject": subject, "body": body}, ensure_ascii=False))


def ask(
    answer: type[Answer],
    *,
    organization: Organization,
    operation: str,
    lead: Lead,
    run: WorkflowRun,
    instructions: str,
    prompt: str,
    fallback: Fallback | None = None,
    used: list[str] | None = None,
    complaint: Callable[[Answer], str] | None = None,
) -> Answer:
    """One typed answer of the organisation's chat model, or with `fallback` of the platform's. Raises `AIError`.

    `used` collects the model's name. What `complaint` says about an answer is told to the model, once; the next
    answer stands as it is.
    """
    model = resolver.get_model_for_tenant(
        organization, "chat", operation=operation, lead=lead.pk, run=run.pk, fallback=fallback
    )
    if used is not None:
        used.append(model.model_id)
    agent = Agent(model.model(), output_type=answer, instructions=instructions, retries=2, name=operation)
    if complaint is not None:

        @agent.output_validator
        def given_back(context: RunContext[object], given: Answer) -> Answer:
            wrong = complaint(given) if context.retry == 0 else ""
            if wrong:
                raise ModelRetry(wrong)
            return given

    limits = UsageLimits(request_limit=4, total_tokens_limit=100_000)
    return wait_for(agent.run(prompt, usage_limits=limits), provider=model.provider).output


def wait_for(coroutine: Coroutine[Any, Any, T], *, provider: str) -> T:
    """Run an agent on the process's loop; whatever the provider or the agent raises comes out as `AIError`."""
    with translated(provider):
        try:
            return event_loop.run(coroutine, timeout=STEP_SECONDS)
        except UsageLimitExceeded as error:
            raise AIError(
                "bad_request",
                provider=provider,
                sentence="The model used up this step's requests or tokens without coming to an end. "
                "Resume the run to try again, or choose another model in the AI settings.",
                detail=str(error),
            ) from None
