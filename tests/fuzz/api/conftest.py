"""The document that calls are made from, and the two tenants that make them."""

import pytest
import schemathesis
from schemathesis import BaseSchema

from tests.fuzz.api.callers import FAR, NEAR
from tests.security.hostile_tenant import HostileTenant, make_hostile


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
