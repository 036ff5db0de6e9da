"""One generation: the answer to a prompt, counted and priced, for whichever wire asked."""

from leadagent.sandbox.answers import reply_to
from leadagent.sandbox.conversation import Prompt, Reply
from leadagent.sandbox.gate import Call
from leadagent.sandbox.offerings import Offering
from leadagent.sandbox.refusals import Refusal
from leadagent.sandbox.tokens import count_tokens, limit_reply, measure


def generate(call: Call, prompt: Prompt, offering: Offering) -> Reply:
    """Answer the prompt and note usage and cost on the call.

    Keys that ask for it get a refusal of the model, or with `errorin200` the half of an
    answer. Raises Refusal when the prompt does not fit the model's context.
    """
    requested = count_tokens(prompt.characters)
    if requested > offering.context:
        raise Refusal("context_too_long", facts={"requested": requested, "maximum": offering.context})
    reply = Reply(refused=True) if "refuse" in call.modes else reply_to(prompt)
    if "errorin200" in call.modes:
        text = reply.text or "Sandbox answer"
        reply = Reply(text=text[: len(text) // 2])
    reply = limit_reply(reply, prompt.max_output_tokens, reasoning=offering.reasoning)
    usage = measure(prompt, reply, reasoning=offering.reasoning, cached="cached" in call.modes)
    if offering.price is not None:
        usage = usage.priced(offering.price, own_upstream_key="ownupstream" in call.modes)
    call.usage, call.price = usage, offering.price
    return reply


def fails_midway(call: Call) -> bool:
    """Whether this generation is to fail after it began."""
    return "errorin200" in call.modes
