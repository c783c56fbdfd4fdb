"""What time it is, and which days are working days."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache

import holidays


def _system() -> datetime:
    return datetime.now(UTC)


_now: Callable[[], datetime] = _system


def now() -> datetime:
    """This moment, in UTC."""
    return _now()


def replace_now(by: Callable[[], datetime] | None) -> None:
    """Have time told by another clock (None: the system's), so that two hubs can be made alike."""
    global _now
    _now = by or _system


def today() -> date:
    """The day it is, in UTC."""
    return now().date()


def is_working_day(day: date) -> bool:
    """Monday to Friday, bank holidays of England and Wales excepted."""
    return day.weekday() < 5 and day not in _bank_holidays(day.year)


def add_working_days(start: date, count: int) -> date:
    """The day on which the last of `count` working days after `start` ends."""
    day = start
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


def working_days_between(start: date, end: date) -> int:
    """How many working days lie after `start` and up to `end`; negative where `end` comes first."""
    if end < start:
        return -working_days_between(end, start)
    return sum(is_working_day(start + timedelta(days=n + 1)) for n in range((end - start).days))


@cache
def _bank_holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv="WLS", years=year))
