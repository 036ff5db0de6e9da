"""How much is tried: a little in `make test`, everything in `make fuzz`."""

import os
from dataclasses import dataclass

IS_LONG = os.environ.get("LEADAGENT_FUZZ") == "long"


@dataclass(frozen=True, slots=True)
class Sizes:
    """`api_drawn`: calls drawn at random per operation and kind; `api_scenarios`: rows of up to eight calls that follow
    from each other; the others: inputs per area.
    """

    api_drawn: int
    api_is_sent_as_everybody: bool
    api_scenarios: int
    form_inputs: int
    query_inputs: int
    csv_files: int
    uploads: int
    answers: int


SHORT = Sizes(
    api_drawn=6,
    api_is_sent_as_everybody=False,
    api_scenarios=25,
    form_inputs=200,
    query_inputs=200,
    csv_files=100,
    uploads=40,
    answers=160,
)
LONG = Sizes(
    api_drawn=40,
    api_is_sent_as_everybody=True,
    api_scenarios=500,
    form_inputs=12_000,
    query_inputs=8_000,
    csv_files=6_000,
    uploads=3_000,
    answers=9_000,
)
SIZES = LONG if IS_LONG else SHORT
