"""Time as a dependency: rules get `now` as an argument, edges get a clock."""

import os
from datetime import UTC, datetime, timedelta
from typing import Protocol

AHEAD = timedelta(seconds=float(os.environ.get("MANYI_CLOCK_AHEAD_S", "0")))
"""How wrong the wall clock is made to be, for `manyi chaos` alone."""


class Clock(Protocol):
    """Tells the present instant, UTC, to the millisecond."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> datetime:
        moment = datetime.now(UTC) + AHEAD
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by
