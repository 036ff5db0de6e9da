"""Calls made from the OpenAPI document, as everybody and as two tenants, against the WSGI application itself.

No answer of 500 and above, none that the document does not name, none that breaks its schema or comes with another
content type, and no row of the other tenant in any.
"""

from collections.abc import Callable
from itertools import cycle
from uuid import UUID

import pytest
from django.core.cache import cache
from schemathesis import BaseSchema
from werkzeug.test import Client as WSGIClient

from leadagent.leads.models import Lead
from tests.byok.fake_provider import FakeProvider
from tests.fuzz.api.answers import note_answer
from tests.fuzz.api.callers import Caller, callers
from tests.fuzz.api.cases import Case, cases, operations
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import Crashes, undone
from tests.security.hostile_tenant import HostileTenant

pytestmark = pytest.mark.django_db


def test_every_answer_is_as_documented(
    schema: BaseSchema,
    tenants: tuple[HostileTenant, HostileTenant],
    fake: FakeProvider,
    record_property: Callable[[str, object], None],
) -> None:
    fake.answers(200, {"object": "list", "data": [{"id": "gpt-4o", "object": "model"}]})
    everybody = list(callers(*tenants))
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


def _ids(tenant: HostileTenant) -> list[UUID]:
    return list(Lead.objects.filter(organization=tenant.organization).values_list("pk", flat=True))[:1]


def _name_a_lead(case: Case, lead: UUID | None) -> None:
    """Random numbers name no lead: most calls about one are about one that is there."""
    if lead is not None and "lead_id" in case.path_parameters:
        case.path_parameters["lead_id"] = str(lead)
