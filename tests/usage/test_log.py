"""Paging by key: nothing twice, nothing left out, also within one millisecond."""

from datetime import timedelta

import pytest

from leadagent.keyset import BadCursor
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import AT, finished, store
from usage.calls.log import usage_log

pytestmark = pytest.mark.django_db


def test_pages_meet_without_overlap_or_gap(organization: Organization) -> None:
    moments = [AT + timedelta(milliseconds=n // 5) for n in range(33)]
    rows = store(*(finished(organization, at=moment) for moment in moments))
    store(finished(OrganizationFactory(), at=AT))
    seen, cursor, sizes = [], "", []
    while True:
        page = usage_log(organization, cursor=cursor, limit=4)
        seen += [row.id for row in page.rows]
        sizes.append(len(page.rows))
        if not (cursor := page.next_cursor):
            break
    assert seen == [row.id for row in reversed(rows)]
    assert sizes == [4] * 8 + [1]


def test_a_new_call_does_not_shift_the_next_page(organization: Organization) -> None:
    store(*(finished(organization, at=AT + timedelta(seconds=n)) for n in range(4)))
    first = usage_log(organization, limit=2)
    store(finished(organization, at=AT + timedelta(hours=1)))
    second = usage_log(organization, cursor=first.next_cursor, limit=2)
    assert [row.created_at - AT for row in second.rows] == [timedelta(seconds=1), timedelta(0)]
    assert second.next_cursor == ""


def test_an_exact_page_has_no_next(organization: Organization) -> None:
    store(finished(organization), finished(organization))
    assert usage_log(organization, limit=2).next_cursor == ""


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "_",
        "2026-11-15T12:00:00+00:00",
        "2026-11-15T12:00:00+00:00_7",
        # No time zone.
        "2026-11-15T12:00:00_01930000-0000-7000-8000-000000000000",
        "2026-13-15T12:00:00+00:00_01930000-0000-7000-8000-000000000000",
        "\x00_\x00",
        # A moment that has no UTC date.
        "0001-01-01T00:00:00+23:59_01930000-0000-7000-8000-000000000000",
        "9999-12-31T23:59:59-23:59_01930000-0000-7000-8000-000000000000",
    ],
)
def test_a_cursor_that_was_never_given_out(organization: Organization, cursor: str) -> None:
    with pytest.raises(BadCursor):
        usage_log(organization, cursor=cursor)
