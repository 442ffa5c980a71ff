"""The only way a test waits: ask again until it is so, and say what was last seen when it never is."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

ASK_AGAIN = 0.02
T = TypeVar("T")


@overload
async def eventually(predicate: Callable[[], Awaitable[T]], timeout: float = 10.0, *, because: str = "") -> T: ...
@overload
async def eventually(predicate: Callable[[], T], timeout: float = 10.0, *, because: str = "") -> T: ...
async def eventually(predicate: Callable[[], Any], timeout: float = 10.0, *, because: str = "") -> Any:
    """The first true answer of `predicate`, asked again and again; AssertionError after `timeout` seconds.

    An AssertionError inside the predicate counts as "not yet", so a test may assert there as it would outside; any
    other exception is a failure at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        seen: object
        try:
            answer = predicate()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            seen = value
        except AssertionError as not_yet:
            seen = not_yet
        if time.monotonic() > deadline:
            raise AssertionError(f"{because or 'still not so'} after {timeout:g} s; last seen: {seen!r}")
        await asyncio.sleep(ASK_AGAIN)
