"""Starting a Kafka client so that being cancelled meanwhile leaves no connection open."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

LONGEST_S = 2.0
T = TypeVar("T")


async def undisturbed(work: Coroutine[Any, Any, T], longest_s: float = LONGEST_S) -> T:
    """Do `work`; cancelled meanwhile, let it go on for up to `longest_s` seconds before the cancellation is raised.

    aiokafka forgets the connection over which a client asks for the cluster at its start, open as it is, when that
    question is cancelled; a client that has started is stopped as a whole. Whatever `work` raises is raised.
    """
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing], timeout=longest_s)
        if not doing.done():
            doing.cancel()
            await asyncio.wait([doing])
        if not doing.cancelled():
            doing.exception()  # seen: the cancellation matters more
        raise
