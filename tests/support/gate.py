"""Where a process of a model stands still before and after each step, until it is told how to go on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

Verdict = Literal["go", "trouble"]
T = TypeVar("T")


class Gate:
    """One process's; never letting it go on again is killing it, letting it go on late is waking a zombie."""

    def __init__(self) -> None:
        self.at: str | None = None
        """Where the process stands."""
        self.moved = asyncio.Event()
        """Set when it came to stand somewhere, or to its end."""
        self._go: asyncio.Future[Verdict] | None = None

    def let_go(self, verdict: Verdict) -> None:
        assert self._go is not None
        self.at = None
        self.moved.clear()
        self._go.set_result(verdict)

    async def step(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        before: Callable[[str], Exception],
        after: Callable[[str], Exception],
    ) -> T:
        """Do the work between two stands; `before` and `after` make the exception for trouble there."""
        if await self._stand(f"before {name}") == "trouble":
            raise before(name)
        answer = await work()
        if await self._stand(f"after {name}") == "trouble":
            raise after(name)
        return answer

    async def _stand(self, where: str) -> Verdict:
        self.at = where
        self._go = asyncio.get_running_loop().create_future()
        self.moved.set()
        return await self._go
