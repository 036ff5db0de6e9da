"""SQL in every query of every page and call: it is a text like any other, and finds nobody else's rows.

The names are taken from the forms and links of the pages, and from the OpenAPI schema: a new filter is tried as well.
"""

import re
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client
from django.utils.html import escape

from leadagent.api import api
from leadagent.leads.models import Lead, LeadSource
from leadagent.tenants.models import ApiToken, Membership, Organization, Scope
from tests.factories import OrganizationFactory
from tests.routes import ROUTES

pytestmark = pytest.mark.django_db

SQL = (
    "' OR '1'='1",
    "'; SELECT pg_sleep(30); --",
    "x') UNION SELECT name, email, message FROM leads_lead --",
    '"; DROP TABLE leads_lead; --',
    "%' OR 1=1 -- \\",
    "1 OR pg_sleep(30) IS NULL",
)
# Somebody else's, who must not be found by any of it.
STRANGER = "Zebedee-of-another-organisation"
_LISTS = [route for route in ROUTES if route.needed is not None and route.in_address == ("org",)]
_NAME = re.compile(r'<(?:input|select)\b[^>]*\bname="([^"]+)"')
_QUERY = re.compile(r'(?:href|hx-get|action)="[^"]*\?([^"#]+)"')


@pytest.fixture(autouse=True)
def stranger(db: None) -> Lead:
    return Lead.objects.create(
        organization=OrganizationFactory(name=STRANGER),
        name=STRANGER,
        email="zebedee@x.test",
        message="Hello",
        source=LeadSource.FORM,
    )


def _names(page: str) -> set[str]:
    """What the page may be asked with: names of its fields and of the queries of its links."""
    queries = (name for query in _QUERY.findall(page) for name, _ in parse_qsl(query.replace("&amp;", "&")))
    return {*_NAME.findall(page), *queries, "q", "cursor", "sort"} - {"csrfmiddlewaretoken"}


def _held(client: Client, address: str, sql: str, **headers: str) -> int:
    """Ask; fail on a crash, on a wait and on a stranger's row. Returns the status."""
    started = time.monotonic()
    answer = client.get(address, headers=headers)
    seconds = time.monotonic() - started
    assert answer.status_code < 500, address
    assert seconds < 25, f"{address} was kept waiting"
    body = answer.getvalue().decode()
    assert STRANGER not in body.replace(sql, "").replace(str(escape(sql)), ""), address
    return int(answer.status_code)


def test_no_page_takes_sql(admin: Membership, organization: Organization) -> None:
    client = Client()
    client.force_login(admin.user)
    asked = 0
    for route in _LISTS:
        address = f"/{route.path.replace('<slug:org>', organization.slug)}"
        page = client.get(address)
        if page.status_code != 200 or page.streaming:
            continue
        names = sorted(_names(page.content.decode()))
        # All of them at once, then each alone: a filter that refuses its value must not hide another.
        for sql in SQL:
            _held(client, f"{address}?{urlencode(dict.fromkeys(names, sql))}", sql)
        for number, name in enumerate(names):
            sql = SQL[number % len(SQL)]
            _held(client, f"{address}?{urlencode({name: sql})}", sql)
            asked += 1
    assert asked > 60, "the names of queries were not found"
    assert Lead.objects.filter(name=STRANGER).exists()


def test_no_call_takes_sql(organization: Organization) -> None:
    token = ApiToken.issue(organization, name="SQL", scopes=list(Scope), created_by=None)[1]
    asked = 0
    for path, methods in api.get_openapi_schema()["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            for sql in SQL:
                where = path.replace("{lead_id}", urlsplit(urlencode({"": sql})).path.lstrip("="))
                query = urlencode({parameter["name"]: sql}) if parameter["in"] == "query" else ""
                status = _held(Client(), f"{where}?{query}", sql, Authorization=f"Bearer {token}")
                assert status in {200, 400, 404, 409, 422}, f"{where}?{query}: {status}"
                asked += 1
    assert asked > 60, "the parameters of calls were not found"
    assert Lead.objects.filter(name=STRANGER).exists()
