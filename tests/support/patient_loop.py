"""An event loop in which waiting takes no time: when all wait, the clock moves on to whoever waits shortest."""

import asyncio
from typing import Any


class PatientLoop(asyncio.SelectorEventLoop):
    """For models of programs that back off and time out; never use it with anything that is real."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0

    def time(self) -> float:
        return super().time() + self._passed

    def _run_once(self) -> None:
        internals: Any = self
        if not internals._ready and internals._scheduled:
            self._passed += max(0.0, internals._scheduled[0]._when - self.time())
        parent: Any = super()
        parent._run_once()
