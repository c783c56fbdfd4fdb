"""Working days, as the answer clock counts them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ideas_hub.clock import add_working_days, is_working_day, now, today, working_days_between


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 7, 3), True),  # Friday
        (date(2026, 7, 4), False),  # Saturday
        (date(2026, 7, 5), False),  # Sunday
        (date(2026, 4, 3), False),  # Good Friday
        (date(2026, 4, 6), False),  # Easter Monday
        (date(2026, 5, 4), False),  # early May
        (date(2026, 5, 25), False),  # spring
        (date(2026, 8, 31), False),  # summer
        (date(2026, 8, 3), True),  # Scotland's summer holiday
        (date(2026, 3, 17), True),  # Northern Ireland's
        (date(2026, 12, 25), False),
        (date(2026, 12, 28), False),  # Boxing Day falls on a Saturday
        (date(2027, 1, 1), False),
    ],
)
def test_working_days_are_weekdays_but_for_bank_holidays_of_england_and_wales(day, works):
    assert is_working_day(day) is works


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2026, 7, 1), 0, date(2026, 7, 1)),
        (date(2026, 7, 1), 1, date(2026, 7, 2)),
        (date(2026, 7, 3), 1, date(2026, 7, 6)),  # over a week-end
        (date(2026, 7, 4), 1, date(2026, 7, 6)),
        (date(2026, 7, 1), 15, date(2026, 7, 22)),
        (date(2026, 4, 2), 1, date(2026, 4, 7)),  # over Easter
        (date(2026, 12, 24), 3, date(2026, 12, 31)),  # over Christmas
        (date(2026, 12, 31), 1, date(2027, 1, 4)),  # over New Year's Day, in the next year's list
    ],
)
def test_working_days_are_added_and_counted_alike(start, count, end):
    assert add_working_days(start, count) == end
    if is_working_day(start):
        assert working_days_between(start, end) == count
        assert working_days_between(end, start) == -count


def test_time_is_told_in_utc_and_by_another_clock_where_one_is_given(clock):
    assert now() == clock() == datetime(2026, 7, 1, 9, tzinfo=UTC)
    clock.goes_on(hours=15)
    assert today() == date(2026, 7, 2)


def test_without_another_clock_it_is_the_systems():
    assert abs(now() - datetime.now(UTC)) < timedelta(minutes=1)
