"""The only way a test waits: ask again until it is so, and say what was last seen when it never is."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

ASK_AGAIN = 0.02
T = TypeVar("T")


async def eventually(
    predicate: Callable[[], Awaitable[T] | T], timeout: float = 10.0, *, because: str = "still not so"
) -> T:
    """The first true answer of `predicate`, asked again and again; AssertionError after `timeout` seconds.

    An AssertionError inside the predicate counts as "not yet", so a test may assert there as it would outside; any other
    exception is a failure at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        seen: object
        try:
            answer = predicate()
            value = cast("T", await answer if inspect.isawaitable(answer) else answer)
            if value:
                return value
            seen = value
        except AssertionError as not_yet:
            seen = not_yet
        if time.monotonic() > deadline:
            raise AssertionError(f"{because} after {timeout:g} s; last seen: {seen!r}")
        await asyncio.sleep(ASK_AGAIN)
