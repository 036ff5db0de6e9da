"""Embeddings as OpenAI defines them, which OpenRouter speaks too."""

from typing import Any

from leadagent.sandbox.gate import Call
from leadagent.sandbox.offerings import Offering
from leadagent.sandbox.refusals import bad_request
from leadagent.sandbox.tokens import Usage, count_tokens
from leadagent.sandbox.vectors import as_base64, embed

_MOST_INPUTS = 2048


def embeddings_body(call: Call, body: dict[str, Any], offering: Offering) -> dict[str, Any]:
    """The answer's `object`, `data` and `model`; usage and cost are noted on the call. Raises Refusal on bad input."""
    inputs = _read_inputs(body.get("input"))
    dimensions = body.get("dimensions") or offering.dimensions
    if not isinstance(dimensions, int) or not 1 <= dimensions <= offering.dimensions:
        raise bad_request(
            f"Invalid value for 'dimensions' = {dimensions}. Must be between 1 and {offering.dimensions}.",
            param="dimensions",
        )
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise bad_request(f"Invalid value: '{encoding}'.", param="encoding_format", code="invalid_value")
    counts = [count_tokens(len(text)) for text in inputs]
    if max(counts) > offering.context:
        raise bad_request(
            f"This model's maximum context length is {offering.context} tokens, however you requested {max(counts)} "
            f"tokens ({max(counts)} in your prompt; 0 for the completion). Please reduce your prompt; or completion "
            "length."
        )
    usage = Usage(input=sum(counts))
    if offering.price is not None:
        usage = usage.priced(offering.price, own_upstream_key="ownupstream" in call.modes)
    call.usage, call.price = usage, offering.price
    vectors = [embed(text, dimensions) for text in inputs]
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": as_base64(vector) if encoding == "base64" else vector,
            }
            for index, vector in enumerate(vectors)
        ],
        "model": offering.answer_name,
    }


def _read_inputs(given: Any) -> list[str]:
    """One text per vector: from a string, a list of strings, a list of token numbers, or a list of such lists."""
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list) and given and all(isinstance(token, int) for token in given):
        given = [given]
    if not isinstance(given, list) or not given or len(given) > _MOST_INPUTS:
        raise bad_request("'$.input' is invalid. Please check the API reference.", param="input")
    texts = [" ".join(map(str, one)) if isinstance(one, list) else one for one in given]
    if not all(isinstance(text, str) and text for text in texts):
        raise bad_request("'$.input' is invalid. Please check the API reference.", param="input")
    return texts
