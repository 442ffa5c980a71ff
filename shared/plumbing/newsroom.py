"""One reading of the news for all who watch in this process, and a way in for those who missed some.

Bounded everywhere: commits that follow closely are told together, a watcher that does not keep up loses its place
instead of holding up the others, and what was missed is read again for few at a time.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from shared.plumbing.news import News, PositionLost
from shared.plumbing.telemetry import logger

AT_MOST_EVERY_S = 0.02
A_WATCHER_S = 0.0006
"""How much longer for each who watches: telling them takes a part of the time only, however many they are."""
AHEAD_S = 10.0
"""Another process may have told more than we have read so far, but not for long."""
MOST_UNTOLD = 512
"""News that wait for one watcher; at fifty a second it may be away for ten seconds."""
READ_AGAIN_AT_ONCE = 8
log = logger("newsroom")


class TooSlow(Exception):
    """The watcher did not take its news in time: begin again behind the last position that was told."""


class Readable(Protocol):
    """Where news come from (see NewsStream)."""

    def after(self, position: str | None) -> AbstractAsyncContextManager[AsyncIterator[News]]: ...


class _Watcher:
    """The letter box of one watcher."""

    def __init__(self) -> None:
        self.box: asyncio.Queue[News] = asyncio.Queue(MOST_UNTOLD)
        self.lost: Exception | None = None

    def tell(self, news: News) -> None:
        if self.lost is not None:  # what it missed must not lie before what it is told
            return
        try:
            self.box.put_nowait(news)
        except asyncio.QueueFull:
            self.lost = TooSlow("news came faster than they were taken")

    async def next(self, seconds: float) -> News | None:
        """The next news, None when there were none for so long. Raises why there are no more."""
        self._raise_loss()
        try:
            return await asyncio.wait_for(self.box.get(), seconds)
        except TimeoutError:
            self._raise_loss()
            return None

    def _raise_loss(self) -> None:
        if self.lost is not None:
            raise self.lost


class Newsroom:
    """Reads while anybody watches."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._watchers: set[_Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self._reached: str | None = None
        """Everything up to here has been told."""
        self._began = asyncio.Event()
        self._untold: News | None = None
        self._told_at = 0.0
        self._read_again = asyncio.Semaphore(READ_AGAIN_AT_ONCE)

    @property
    def watching(self) -> int:
        """How many watch."""
        return len(self._watchers)

    async def watch(self, since: str | None, patience_s: float) -> AsyncGenerator[News]:
        """News behind the position (None: from now on) in order, first of all empty ones that say where it begins.

        Empty ones also come after `patience_s` without any. Around a position something may be told twice, nothing is
        left out. Raises PositionLost and TooSlow.
        """
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            reached = await self._begin()
            told = reached if since is None else since
            yield News(told)
            if told < reached:
                async with self._read_again, self._stream.after(told) as missed:
                    async for news in missed:
                        if news.facts and news.position <= reached:
                            yield news
                        if news.position >= reached:
                            break
                told = reached
            deadline = asyncio.get_running_loop().time() + AHEAD_S
            while True:
                came = await watcher.next(patience_s)
                if came is None:
                    reached = self._reached or reached
                    if told > reached and asyncio.get_running_loop().time() > deadline:
                        raise PositionLost(f"{told[:20]}… has not been reached yet")
                    # Not further than what was told: the box may have been filled in between.
                    told = max(told, reached) if watcher.box.empty() else told
                    yield News(told)
                elif came.position > told:
                    told = came.position
                    yield came
        finally:
            self._watchers.discard(watcher)
            if not self._watchers and self._reading is not None:
                self._reading.cancel()
                self._reading = None

    async def _begin(self) -> str:
        """Have the news read, and answer how far they are: what comes behind is going to be told."""
        if self._reading is None:
            self._reached = self._untold = None
            self._began.clear()
            self._reading = asyncio.create_task(self._read())
        while self._reached is None:
            await self._began.wait()
        return self._reached

    async def _read(self) -> None:
        while True:
            try:
                async with self._stream.after(self._reached) as read:
                    async for news in read:
                        self._hear(news)
            except PositionLost as lost:
                for watcher in self._watchers:
                    watcher.lost = lost
                self._reached = self._untold = None
                self._began.clear()
            except Exception as error:  # ending here would leave everybody waiting for news that never come
                log.warning(
                    "news cannot be read, will try again", error=f"{type(error).__name__}: {error}", exc_info=True
                )
                self._untold = None
                await asyncio.sleep(1.0)

    def _hear(self, news: News) -> None:
        if self._untold is not None:
            self._untold = self._untold.and_then(news)
        elif not news.facts:
            self._reached = news.position
            self._began.set()
        else:
            self._untold = news
            loop = asyncio.get_running_loop()
            pause = AT_MOST_EVERY_S + A_WATCHER_S * len(self._watchers)
            loop.call_at(max(loop.time(), self._told_at + pause), self._tell)

    def _tell(self) -> None:
        news, self._untold = self._untold, None
        if news is None:
            return
        self._told_at = asyncio.get_running_loop().time()
        self._reached = news.position
        self._began.set()
        for watcher in self._watchers:
            watcher.tell(news)
