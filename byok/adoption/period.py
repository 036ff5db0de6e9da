"""The days that the adoption page is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from usage.utc_days import DAY, current_day

# Days that one can choose.
PERIODS = (30, 90, 365)


@dataclass(frozen=True, slots=True)
class Period:
    """UTC days: `start` is in, `end` is not."""

    start: date
    end: date

    @classmethod
    def last(cls, days: int, *, today: date | None = None) -> Period:
        """The last `days` days, today included."""
        end = (today or current_day()) + DAY
        return cls(end - days * DAY, end)

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """The same as moments, for columns that hold a time."""
        return datetime.combine(self.start, time.min, UTC), datetime.combine(self.end, time.min, UTC)
