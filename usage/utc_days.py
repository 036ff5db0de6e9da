"""UTC days and months, by which everything is counted. Periods are half-open: `start` is in, `end` is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)


def current_day() -> date:
    """Today in UTC."""
    return datetime.now(UTC).date()


def first_of_month() -> date:
    """The first day of the current month: as rows name it."""
    return current_day().replace(day=1)


def month_after(month: date) -> date:
    """The first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def current_month() -> tuple[date, date]:
    """The current month as a period."""
    start = first_of_month()
    return start, month_after(start)


def last_days(count: int) -> tuple[date, date]:
    """Today and the days before it, `count` in all, as a period."""
    end = current_day() + DAY
    return end - count * DAY, end
