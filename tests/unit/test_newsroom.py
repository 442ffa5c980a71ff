"""Watching the news: nothing is left out, nobody holds up the others, and news that come fast are told together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import orjson
import pytest

from shared.plumbing.news import MOST_NAMED, News, PositionLost, Touched, written
from shared.plumbing.newsroom import MOST_UNTOLD, Newsroom, TooSlow
from shared.plumbing.store import Page, Writes

KEY = ("set", "responses")


def news(number: int, *ids: str) -> News:
    return News(f"{number:08X}", {KEY: Touched(len(ids), ids)} if ids else {})


class Paper:
    """News that are appended by hand, read from any position as a change stream would be."""

    def __init__(self) -> None:
        self.printed = [news(1)]
        self._more = asyncio.Event()
        self.lost_before = ""
        self.torn = False

    def tear(self) -> None:
        """Whoever reads loses the place; what is printed now nobody reads there."""
        self.torn = True
        self._more.set()

    def append(self, *ids: str) -> str:
        self.printed.append(news(len(self.printed) + 1, *ids))
        self._more.set()
        return self.printed[-1].position

    @asynccontextmanager
    async def after(self, position: str | None) -> AsyncIterator[AsyncIterator[News]]:
        if position is not None and position < self.lost_before:
            raise PositionLost(position)
        yield self._read(len(self.printed) - 1 if position is None else int(position, 16))

    async def _read(self, place: int) -> AsyncIterator[News]:
        while True:
            if self.torn:
                self.torn = False
                raise PositionLost("torn")
            if place < len(self.printed):
                yield self.printed[place]
                place += 1
                continue
            self._more.clear()
            await self._more.wait()


async def ids_until(room: Newsroom, since: str | None, last: str, paper: Paper | None = None) -> list[str]:
    """Names told to one watcher until the last one; `paper` prints it once the watcher has begun."""
    found: list[str] = []
    async with aclosing(room.watch(since, 0.05)) as watching:
        async for told in watching:
            if paper is not None:
                paper.append(last)
                paper = None
            if KEY in told.facts:
                found += told.facts[KEY].ids
            if last in found:
                return found
    raise AssertionError


async def test_a_watcher_hears_what_comes_and_what_it_missed() -> None:
    paper = Paper()
    room = Newsroom(paper)
    first = paper.append("a")
    paper.append("b")
    paper.append("c")
    assert await ids_until(room, first, "d", paper) == ["b", "c", "d"]
    assert room.watching == 0
    assert await ids_until(Newsroom(paper), None, "e", paper) == ["e"]  # another process, from now on
    assert await ids_until(Newsroom(paper), first, "e") == ["b", "c", "d", "e"]


async def test_news_that_follow_closely_are_told_together_and_a_fact_is_named_once() -> None:
    paper = Paper()
    room = Newsroom(paper)
    told: list[News] = []
    async with aclosing(room.watch(None, 5)) as watching:
        await anext(watching)
        for number in range(1, 300):
            paper.append("a", f"b{number}")
        while not told or told[-1].position < paper.printed[-1].position:
            told.append(await anext(watching))
    assert len(told) < 10
    assert sum(one.facts[KEY].count for one in told) == 2 * 299
    assert all(one.facts[KEY].ids[0] == "a" and len(set(one.facts[KEY].ids)) <= MOST_NAMED for one in told)


async def test_who_is_too_slow_is_dropped_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.plumbing.newsroom.AT_MOST_EVERY_S", 0.0)
    paper = Paper()
    room = Newsroom(paper)
    async with aclosing(room.watch(None, 5)) as slow, aclosing(room.watch(None, 5)) as quick:
        await anext(slow)
        await anext(quick)
        for number in range(MOST_UNTOLD + 1):
            paper.append(f"n{number}")
            assert (await anext(quick)).facts[KEY].ids == (f"n{number}",)
        with pytest.raises(TooSlow):
            await anext(slow)
        paper.append("last")
        assert (await anext(quick)).facts[KEY].ids == ("last",)


async def test_a_position_too_old_is_said_to_be_lost() -> None:
    paper = Paper()
    paper.append("a")
    paper.lost_before = "00000002"
    paper.append("b")
    with pytest.raises(PositionLost):
        await ids_until(Newsroom(paper), "00000001", "b")


async def test_who_waits_while_the_place_is_lost_is_told_no_later_one() -> None:
    """A position told as reached would be come back with, and what was lost before it never asked for."""
    paper = Paper()
    room = Newsroom(paper)
    told: set[str] = set()

    async def watch() -> None:
        async with aclosing(room.watch(None, 0.05)) as watching:
            async for news in watching:
                if not told:
                    paper.append("unread")
                    paper.tear()
                told.add(news.position)

    with pytest.raises(PositionLost):
        await watch()
    assert told == {"00000001"}


async def test_a_position_that_is_never_reached_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.plumbing.newsroom.AHEAD_S", 0.0)
    paper = Paper()
    with pytest.raises(PositionLost):
        await ids_until(Newsroom(paper), "00000009", "b", paper)


def test_a_commit_tells_a_bounded_text_that_is_never_the_same() -> None:
    pages = [Page(f"s{number}", 1, "e", "2026-03-01", fact={"a": 1}) for number in range(70)]
    writes = Writes(new={"responses": pages}, changed={"guards": [Page("g", 2, "e", "2026-03-01")]})
    first, second = written(writes), written(writes)
    assert first is not None
    assert first != second
    (count, ids) = orjson.loads(first)[1]["responses"]
    assert (count, len(ids), list(orjson.loads(first)[1])) == (70, MOST_NAMED, ["responses"])
    assert written(Writes(changed={"guards": [Page("g", 2, "e", "2026-03-01")]})) is None
