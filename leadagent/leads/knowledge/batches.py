"""How many texts go to a provider in one call. Pure."""

from collections.abc import Iterator, Sequence

from byok.providers.base import BatchLimits


def most_tokens(text: str) -> int:
    """No fewer tokens than the text has, as far as one can say without the model's own list.

    English has about four bytes to a token, languages outside of Latin script two to three.
    """
    return len(text.encode()) // 2 + 1


def in_batches(texts: Sequence[str], limits: BatchLimits) -> Iterator[slice]:
    """Slices of `texts` in order, each within the limits; a text beyond them alone is a batch of its own."""
    start, tokens = 0, 0
    for position, text in enumerate(texts):
        needed = most_tokens(text)
        if position > start and (position - start >= limits.inputs or tokens + needed > limits.tokens):
            yield slice(start, position)
            start, tokens = position, 0
        tokens += needed
    if start < len(texts):
        yield slice(start, len(texts))
