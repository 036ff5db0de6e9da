"""Runs in litellm's own environment, never in ours: `python litellm_calls.py BASE_URL`, a number of calls per line."""

import os
import sys
import time
from statistics import median

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # type: ignore[import-not-found]

MESSAGES = [{"role": "user", "content": "Is this lead worth a call?"}]


def call() -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    litellm.completion(
        model="openai/gpt-4o-mini",
        messages=MESSAGES,
        api_base=sys.argv[1],
        api_key="sk-held-by-the-mock",
        max_retries=0,
    )
    return time.perf_counter() - begun


for line in sys.stdin:
    print(median(call() for _ in range(int(line))), flush=True)
