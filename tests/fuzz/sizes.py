"""How much is tried: a little in `make test`, everything in `make fuzz`."""

import os
from dataclasses import dataclass

IS_LONG = os.environ.get("LEADAGENT_FUZZ") == "long"


@dataclass(frozen=True, slots=True)
class Sizes:
    """`api_drawn`: calls drawn at random per operation and kind; the others: inputs per area."""

    api_drawn: int
    api_is_sent_as_everybody: bool
    form_inputs: int
    query_inputs: int
    body_inputs: int
    csv_files: int
    uploads: int
    answers: int


SHORT = Sizes(
    api_drawn=6,
    api_is_sent_as_everybody=False,
    form_inputs=300,
    query_inputs=300,
    body_inputs=400,
    csv_files=120,
    uploads=60,
    answers=400,
)
LONG = Sizes(
    api_drawn=150,
    api_is_sent_as_everybody=True,
    form_inputs=18_000,
    query_inputs=8_000,
    body_inputs=6_000,
    csv_files=5_000,
    uploads=3_000,
    answers=10_000,
)
SIZES = LONG if IS_LONG else SHORT
