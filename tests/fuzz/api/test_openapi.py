"""Calls made from the OpenAPI document, as everybody and as two tenants, against the WSGI application itself.

No answer of 500 and above, none that the document does not name, none that breaks its schema or comes with another
content type, and no row of the other tenant in any.
"""

from collections.abc import Callable
from itertools import cycle
from uuid import UUID

import pytest
import schemathesis
from django.core.cache import cache
from schemathesis import BaseSchema, Response
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
from werkzeug.test import Client as WSGIClient

from leadagent.leads.models import Lead
from tests.byok.fake_provider import FakeProvider
from tests.fuzz.api.callers import Caller, callers
from tests.fuzz.api.cases import Case, cases, operations
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import Crashes, undone
from tests.security.hostile_tenant import HostileTenant, make_hostile

pytestmark = pytest.mark.django_db

NEAR, FAR = "qx7-text-of-the-near-tenant", "qx7-text-of-the-far-tenant"
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]


@pytest.fixture
def tenants(db: None) -> tuple[HostileTenant, HostileTenant]:
    return make_hostile(1, [NEAR]), make_hostile(2, [FAR])


@pytest.fixture
def schema(wsgi_in_transaction: None, db: None) -> BaseSchema:
    from leadagent.wsgi import application

    made = schemathesis.openapi.from_wsgi("/api/openapi.json", application)
    # Who calls is what the callers bring, not what schemathesis makes up.
    made.config.generation.update(with_security_parameters=False)
    return made


def test_every_answer_is_as_documented(
    schema: BaseSchema,
    tenants: tuple[HostileTenant, HostileTenant],
    fake: FakeProvider,
    record_property: Callable[[str, object], None],
) -> None:
    fake.answers(200, {"object": "list", "data": [{"id": "gpt-4o", "object": "model"}]})
    everybody = list(callers(*tenants, near_text=NEAR, far_text=FAR))
    tallies = {caller.name: Tally(f"API, {caller.name}") for caller in everybody}
    leads = cycle([*_ids(tenants[0]), *_ids(tenants[1]), None])
    others = cycle(everybody[1:])
    for caller in everybody:
        # The first use of a token in a day is written down, which is not to be done anew with each call.
        WSGIClient(schema.app).get("/api/ai-usage/stats", headers=caller.headers)
    crashes = Crashes()
    with crashes.watched():
        for operation in operations(schema):
            for case in cases(schema, operation, drawn=SIZES.api_drawn):
                _name_a_lead(case, next(leads))
                chosen = everybody if SIZES.api_is_sent_as_everybody else [everybody[0], next(others)]
                for caller in chosen:
                    _send(case, caller, tallies[caller.name], crashes)
    for tally in tallies.values():
        record_property("fuzz", tally.as_json())
    assert min(tally.tried for tally in tallies.values()) >= 50
    told = [tally.told() for tally in tallies.values() if tally.failures]
    assert not told, "\n".join(told)


def _send(case: Case, caller: Caller, tally: Tally, crashes: Crashes) -> None:
    tally.tried += 1
    if tally.tried % 8 == 0:
        cache.clear()  # or every test of a key but the first few would be one too many
    crashes.latest = ""
    with undone():
        answer = case.call(headers=caller.headers, cookies=caller.cookies)
    note_answer(case, answer, caller, tally, crashes)


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


def _ids(tenant: HostileTenant) -> list[UUID]:
    return list(Lead.objects.filter(organization=tenant.organization).values_list("pk", flat=True))[:1]


def _name_a_lead(case: Case, lead: UUID | None) -> None:
    """Random numbers name no lead: most calls about one are about one that is there."""
    if lead is not None and "lead_id" in case.path_parameters:
        case.path_parameters["lead_id"] = str(lead)
