"""What may be wrong with an answer of the API."""

from schemathesis import Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.fuzz.api.callers import Caller
from tests.fuzz.api.cases import Case
from tests.fuzz.tally import Tally
from tests.fuzz.undone import Crashes

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]


def note_answer(case: Case, answer: Response, caller: Caller, tally: Tally, crashes: Crashes) -> None:
    """Count what came, and all that is wrong with it."""
    tally.outcomes[str(answer.status_code)] += 1
    example = f"{case.method} {case.formatted_path} {case.query or ''} {str(case.body)[:300]}"
    if answer.status_code >= 500:
        tally.fail("crashed", f"{case.operation.label}: {crashes.latest}", example=example)
        return
    for failure in _failures(case, answer):
        tally.fail("broken", f"{case.operation.label}: {failure.title}, {answer.status_code}", example=example)
    if caller.may_not_see.encode() in answer.content:
        tally.fail("broken", f"{case.operation.label}: a row of the other tenant", example=example)


def _failures(case: Case, answer: Response) -> list[Failure]:
    try:
        case.validate_response(answer, checks=_CHECKS)
    except FailureGroup as group:
        return list(group.exceptions)
    return []
