"""The same kill cycles for everybody: kill -9 at points of progress, started again, until all is written or stuck."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from deploy.bench.contest import PROBE_S, Contestant, start, stop
from deploy.bench.exactness import copies
from deploy.bench.ground import Ground

QUIET_S = 3.0
"""Nothing written for so long: worth a look whether all is there."""
STUCK_S = 60.0
"""Nothing written for so long: nothing comes any more."""
FIRST, LAST = 0.05, 0.9
"""Share of the documents between which kills lie."""
LONGEST_WAIT_S = 0.2


@dataclass(frozen=True)
class Kill:
    """One kill: when so many events have a document, one more than before this process at least, and so long after."""

    documents: int
    after_s: float


def kills_of(seed: int, number: int, events: int) -> list[Kill]:
    """`number` kills, the same for the same seed: one in each of as many equal stretches of the way."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    stretch = (LAST - FIRST) / number
    points = [int(events * (FIRST + stretch * (place + chance.random()))) for place in range(number)]
    return [Kill(point, chance.uniform(0, LONGEST_WAIT_S)) for point in points]


@dataclass(frozen=True)
class Survived:
    """What a run with kills showed."""

    kills: int
    """Fewer than planned where all was written before, or nothing was written any more."""
    seconds: float


class Life:
    """A contestant's process, started again whenever it ends, as a supervisor does."""

    def __init__(self, place: Ground, contestant: Contestant) -> None:
        self._place, self._contestant = place, contestant
        self._process, _ = start(place, contestant)

    def kill(self) -> None:
        """kill -9 of the process and its children, and the next one started (blocking)."""
        for process in [*self._process.children(recursive=True), self._process]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        self._process, _ = start(self._place, self._contestant)

    async def writes(self, enough: Callable[[int, bool], bool]) -> bool:
        """Wait until the number of documents is `enough`; False when none is written any more.

        `enough` is told the number and whether it has been the same for a while, the latter once for each number.
        """
        last, moved, told = -1, time.monotonic(), False
        while True:
            now, documents = time.monotonic(), self._contestant.documents.estimated_document_count()
            if documents != last:
                last, moved, told = documents, now, False
            quiet = not told and now - moved > QUIET_S
            told = told or quiet
            if await asyncio.to_thread(enough, documents, quiet):
                return True
            if now - moved > STUCK_S:
                return False
            if self._process.poll() is not None:
                self._process, _ = start(self._place, self._contestant)
            await asyncio.sleep(PROBE_S)

    def end(self) -> None:
        """Stop it for good (blocking)."""
        stop(self._process)


async def run_killed(place: Ground, contestant: Contestant, kills: Sequence[Kill], total: int) -> Survived:
    """Run until every event has a document and nothing is written any more, killed at each of `kills` on the way."""
    documents, began, done = contestant.documents, time.monotonic(), 0

    def complete(number: int, quiet: bool) -> bool:
        return quiet and number >= total and len(copies(documents)) >= total

    life = Life(place, contestant)
    try:
        for kill in kills:
            before = events_written(contestant)
            if before >= total or not await life.writes(_reached(contestant, max(kill.documents, before + 1))):
                break
            await asyncio.sleep(kill.after_s)
            await asyncio.to_thread(life.kill)
            done += 1
        await life.writes(complete)
    finally:
        await asyncio.to_thread(life.end)
    return Survived(done, time.monotonic() - began)


def events_written(contestant: Contestant) -> int:
    """Of how many events there are documents (blocking): what is written twice is no progress."""
    if contestant.repeats:
        return len(copies(contestant.documents))
    return contestant.documents.estimated_document_count()


def _reached(contestant: Contestant, point: int) -> Callable[[int, bool], bool]:
    return lambda number, _: number >= point and events_written(contestant) >= point
