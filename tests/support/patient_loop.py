"""An event loop in which waiting takes no time: when all wait, its clock moves on to whoever waits shortest."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)


class PatientLoop(asyncio.SelectorEventLoop):
    """For models of programs that back off and time out; never use it with anything that is real.

    It is also the wall clock of its world (shared.plumbing.clock.Clock).
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0

    def time(self) -> float:
        return self._passed

    def now(self) -> datetime:
        return BEGIN + timedelta(milliseconds=round(self._passed * 1000))

    def pass_by(self, seconds: float) -> None:
        self._passed += seconds

    async def quiet(self) -> None:
        """Return when nobody else can go on without waiting for something."""
        internals: Any = self
        while internals._ready:  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0)

    def _run_once(self) -> None:
        internals: Any = self
        if not internals._ready and internals._scheduled:
            self._passed = max(self._passed, internals._scheduled[0]._when)
        parent: Any = super()
        parent._run_once()
