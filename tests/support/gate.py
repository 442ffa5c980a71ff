"""Where a process of a model stands still before and after each step, until it is told how to go on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

Verdict = Literal["go", "trouble"]
T = TypeVar("T")


class Gate:
    """One process's; never letting it go on again is killing it, letting it go on late is waking a zombie.

    What a process does at the same time stands at several places.
    """

    def __init__(self) -> None:
        self._stands: dict[str, asyncio.Future[Verdict]] = {}
        self.moved = asyncio.Event()
        """Set when it came to stand somewhere, or to its end."""

    @property
    def stands(self) -> tuple[str, ...]:
        """Where it stands, longest first."""
        return tuple(self._stands)

    def let_go(self, verdict: Verdict, where: str | None = None) -> None:
        """On from there, or from where it has stood longest."""
        going = self._stands.pop(where or next(iter(self._stands)))
        self.moved.clear()
        going.set_result(verdict)

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
        assert where not in self._stands, f"two stand {where}"
        going: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._stands[where] = going
        self.moved.set()
        try:
            return await going
        finally:
            if self._stands.get(where) is going:  # given up
                del self._stands[where]
