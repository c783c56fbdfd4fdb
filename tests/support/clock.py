"""A clock that stands until it is told to go on."""

from datetime import UTC, date, datetime, time, timedelta


class Clock:
    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def goes_to(self, day: date, at: time = time(9)) -> None:
        self.moment = datetime.combine(day, at, UTC)

    def goes_on(self, **by: float) -> None:
        self.moment += timedelta(**by)
