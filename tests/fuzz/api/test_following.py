"""Calls that follow from each other: a lead is handed in, then read, changed, noted and run by the id that was answered."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as drawing
from schemathesis import BaseSchema, Response

from tests.byok.fake_provider import FakeProvider
from tests.fuzz.api.answers import note_answer
from tests.fuzz.api.callers import Caller, callers
from tests.fuzz.api.cases import Case
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import Crashes, undone
from tests.security.hostile_tenant import HostileTenant

pytestmark = pytest.mark.django_db


def test_what_was_answered_leads_on(
    schema: BaseSchema,
    tenants: tuple[HostileTenant, HostileTenant],
    fake: FakeProvider,
    counted: Callable[[Tally], None],
) -> None:
    caller: Caller = next(callers(*tenants))
    tally = Tally("API, calls in a row")
    crashes = Crashes()
    followed: Counter[str] = Counter()

    class InARow(schema.as_state_machine()):  # type: ignore[misc]  # made of the document
        def setup(self) -> None:
            self.undone = undone()
            self.undone.__enter__()

        def teardown(self) -> None:
            self.undone.__exit__(None, None, None)

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            tally.tried += 1
            crashes.latest = ""
            return {"headers": caller.headers}

        def validate_response(self, response: Response, case: Case, *_: Any, **__: Any) -> None:
            if "{lead_id}" in case.path and response.status_code < 400:
                followed[case.operation.label] += 1
            note_answer(case, response, caller, tally, crashes)

    with crashes.watched():
        InARow.run(
            settings=drawing(
                max_examples=SIZES.api_scenarios,
                stateful_step_count=8,
                database=None,
                derandomize=True,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
        )
    counted(tally)
    # What is drawn changes with every constant in the code under test. A made-up id names no lead: each of these followed.
    assert sum(followed.values()) >= 4, followed
