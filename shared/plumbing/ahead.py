"""Reading on while what was read before is worked on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sized
from typing import TypeVar

T = TypeVar("T", bound=Sized)


async def read_ahead(read: Callable[[], Awaitable[T]], first: T) -> AsyncGenerator[T]:
    """`first`, unless it is empty, and what `read` brings until that is nothing; one batch is read beyond the last.

    To be closed, since somebody may stop before the end; what is being read then is given up. Raises what `read` does.
    """
    batch = first
    while True:
        reading = asyncio.ensure_future(read())
        try:
            if batch:
                yield batch
            batch = await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if not batch:
            return
