"""What schemathesis makes of the OpenAPI document: every boundary it can think of, and calls drawn at random."""

from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as drawing
from schemathesis import APIOperation, BaseSchema, GenerationMode
from schemathesis import Case as AnyCase
from schemathesis.core.result import Ok

Case = AnyCase[Any]
Operation = APIOperation[Any, Any, Any, Any]


def operations(schema: BaseSchema) -> list[Operation]:
    found = list(schema.get_all_operations())
    assert all(isinstance(one, Ok) for one in found), found
    return [one.ok() for one in found if isinstance(one, Ok)]


def cases(schema: BaseSchema, operation: Operation, *, drawn: int) -> Iterator[Case]:
    """The same ones at every run: first the boundaries, then `drawn` valid and `drawn` invalid ones."""
    yield from schema.iter_coverage_cases(
        operation,
        generation_modes=list(GenerationMode),
        generation_config=schema.config.generation_for(operation=operation, phase="coverage"),
    )
    for mode in GenerationMode:
        yield from _drawn(operation.as_strategy(generation_mode=mode), drawn)


def _drawn(strategy: Any, number: int) -> list[Case]:
    found: list[Case] = []

    @seed(20261126)
    @drawing(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def draw(case: Case) -> None:
        found.append(case)

    try:
        draw()
    except schemathesis.errors.InvalidSchema:
        raise
    except BaseException as nothing:
        # An operation without parameters has no invalid calls.
        if type(nothing).__name__ not in {"Unsatisfiable", "SkipTest", "Skipped"}:
            raise
    return found
