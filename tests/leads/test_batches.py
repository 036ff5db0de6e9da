"""Calls for embeddings carry no more than their provider takes, and everything in order."""

from hypothesis import given
from hypothesis import strategies as st

from byok.providers.base import BatchLimits
from leadagent.leads.knowledge.batches import in_batches, most_tokens


@given(st.lists(st.text(min_size=1, max_size=60), max_size=40), st.integers(1, 7), st.integers(1, 120))
def test_batches_hold_their_limits_and_lose_nothing(texts: list[str], inputs: int, tokens: int) -> None:
    batches = [texts[part] for part in in_batches(texts, BatchLimits(inputs, tokens))]

    assert [text for batch in batches for text in batch] == texts
    for batch in batches:
        assert 1 <= len(batch) <= inputs
        assert len(batch) == 1 or sum(map(most_tokens, batch)) <= tokens


def test_a_batch_is_as_full_as_it_may_be() -> None:
    sizes = [part.stop - part.start for part in in_batches(["word"] * 25, BatchLimits(10, 10_000))]

    assert sizes == [10, 10, 5]
