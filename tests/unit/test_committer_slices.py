"""A hand-over in slices, one planned while another commits, counts what one after another counts."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.plumbing.clock import ManualClock
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.listening import Batch, Record
from shared.plumbing.logs import LogBroken
from shared.plumbing.projection import Fact, Heard, Unfit
from shared.plumbing.slices import sliced
from shared.plumbing.store import Interrupted, Move, Page, Writes
from shared.plumbing.store_memory import MemoryStore
from tests.support.histories import histories
from tests.support.running_tally import COUNTER, Added, Tallies
from tests.support.telling import Teller, letter
from tests.unit.test_projection_counting import COUNTER as ALL_OF_IT

HERE, THERE = TopicPartition("t", 0), TopicPartition("t", 1)


class SlowStore(MemoryStore):
    """Takes its time to commit: whoever plans ahead has planned by then. Calls `before` with the number of each try."""

    def __init__(self, before: Callable[[int], Awaitable[object]] | None = None) -> None:
        super().__init__()
        self.tries = 0
        self._before = before

    async def commit(self, moves: Mapping[TopicPartition, Move], writes: Writes) -> None:
        self.tries += 1
        for _ in range(10):
            await asyncio.sleep(0)
        if self._before is not None:
            await self._before(self.tries)
        await super().commit(moves, writes)


def committer(store: MemoryStore, slice_records: int, counter: Any = COUNTER) -> BatchCommitter:
    clock = ManualClock(datetime(2026, 6, 1, tzinfo=UTC))
    return BatchCommitter(counter, store, clock, max_dead_letters_in_a_row=100, slice_records=slice_records)


def tallied(place: TopicPartition, count: int) -> list[Record]:
    """Two events of each of the partition's subjects, far from one another."""
    teller, subjects = Teller(), [f"{place.partition}-{number}" for number in range(count // 2)]
    told = [teller.tell(subject, Added(amount=amount, colour="red")) for amount in (1, 2) for subject in subjects]
    return [letter(place, offset, event) for offset, event in enumerate(told)]


async def polled(batch: Batch, most: int) -> AsyncIterator[Batch]:
    """What a consumer hands over of it, at most so many records of a partition each time."""
    for start in range(0, max(map(len, batch.values()), default=0), most):
        yield {place: records[start : start + most] for place, records in batch.items() if records[start:]}


@settings(max_examples=60)
@given(told=histories(), slice_records=st.integers(1, 4), poll_records=st.integers(1, 4))
def test_slices_make_no_difference(
    told: list[tuple[TopicPartition, dict[str, Any]]], slice_records: int, poll_records: int
) -> None:
    batch: dict[TopicPartition, list[Record]] = {}
    for place, event in told:
        log = batch.setdefault(place, [])
        log.append(letter(place, len(log), event))
    stores = MemoryStore(), SlowStore(), SlowStore()
    sliced_all = committer(stores[2], slice_records, ALL_OF_IT)
    reached = [
        asyncio.run(committer(store, size, ALL_OF_IT).take(batch)) if batch else {}
        for store, size in zip(stores, (10_000, slice_records), strict=False)
    ]
    reached.append(asyncio.run(sliced_all.take_all(polled(batch, poll_records))))
    assert reached[0] == reached[1] == reached[2]
    assert stores[0].contents() == stores[1].contents() == stores[2].contents()


def test_the_next_batch_is_read_and_planned_while_the_one_before_it_is_committed() -> None:
    async def scenario() -> None:
        asked_for = asyncio.Event()

        async def wait(tries: int) -> None:
            if tries == 1:
                async with asyncio.timeout(10):
                    await asked_for.wait()

        class Watched(SlowStore):
            async def pages(self, wanted: Mapping[str, Collection[str]]) -> dict[str, dict[str, Page]]:
                if self.tries:
                    asked_for.set()
                return await super().pages(wanted)

        batch = {HERE: tallied(HERE, 8)}
        assert await committer(Watched(wait), 100).take_all(polled(batch, 4)) == {HERE: 8}

    asyncio.run(scenario())


def test_behind_a_hole_nothing_is_taken_before_it_was_looked_at_again() -> None:
    async def scenario() -> None:
        store, records = SlowStore(), tallied(HERE, 8)
        with_hole = [*records[:4], *(dataclasses.replace(record, offset=record.offset + 3) for record in records[4:])]
        counting = committer(store, 2)
        assert await counting.take_all(polled({HERE: with_hole}, 4)) == {HERE: 4}
        assert await counting.take_all(polled({HERE: with_hole[4:]}, 2)) == {HERE: 11}
        assert store.contents()["pages"] == (await counted({HERE: records}))["pages"]

    asyncio.run(scenario())


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_after_a_failure_one_begins_where_it_is_counted_up_to(failing: int) -> None:
    async def scenario() -> None:
        async def fail(tries: int) -> None:
            if tries == failing:
                raise Interrupted("for once")

        store = SlowStore(fail)
        batch = {HERE: tallied(HERE, 12)}
        counting = committer(store, 4)
        with pytest.raises(Interrupted):
            await counting.take_all(polled(batch, 4))
        begins = (await counting.begins([HERE]))[HERE]
        assert begins == 4 * (failing - 1)
        assert await counting.take_all(polled({HERE: batch[HERE][begins:]}, 4)) == {HERE: 12}
        assert store.contents() == await counted(batch)

    asyncio.run(scenario())


def test_each_slice_has_its_share_of_every_partition_in_order() -> None:
    batch = {HERE: tallied(HERE, 10), THERE: tallied(THERE, 4)}
    parts = sliced(batch, 5)
    assert sliced({}, 5) == []
    assert [len(part[HERE]) for part in parts] == [3, 3, 4]
    assert [record.offset for part in parts for record in part.get(THERE, ())] == [0, 1, 2, 3]


def test_many_records_are_planned_in_a_thread() -> None:
    batch = {HERE: tallied(HERE, 2_000), THERE: tallied(THERE, 1_000)}
    stores = SlowStore(), SlowStore()
    for store, size in zip(stores, (600, 400), strict=True):  # 400 of them are not worth one
        assert asyncio.run(committer(store, size).take(batch)) == {HERE: 2_000, THERE: 1_000}
    assert [store.tries for store in stores] == [5, 8]
    assert stores[0].contents() == stores[1].contents()


def test_a_page_that_was_taken_for_new_is_looked_for_when_it_stands_already() -> None:
    async def scenario() -> None:
        looked_for: list[set[str]] = []

        class Watched(SlowStore):
            async def pages(self, wanted: Mapping[str, Collection[str]]) -> dict[str, dict[str, Page]]:
                looked_for.append({subject for subjects in wanted.values() for subject in subjects})
                return await super().pages(wanted)

        teller, store = Teller(), Watched()
        first, other, second = (
            teller.tell(subject, Added(amount=1, colour="red")) for subject in ("known", "other", "known")
        )
        counting = committer(store, 100)
        await counting.take({HERE: [letter(HERE, 0, first)]})
        again = [letter(HERE, offset, event) for offset, event in enumerate([first, other, second], 1)]
        assert await counting.take({HERE: again}) == {HERE: 4}
        assert looked_for == [set(), set(), {"known", "other"}]
        assert {name: page.revision for name, page in store.contents()["pages"]["tallies"].items()} == {
            "known": 2,
            "other": 1,
        }

    asyncio.run(scenario())


def test_what_was_heard_already_is_dropped_however_it_is_judged_by_now() -> None:
    async def scenario() -> None:
        store, teller = MemoryStore(), Teller()
        told = teller.tell("s", Added(amount=1, colour="red"))
        await committer(store, 100).take({HERE: [letter(HERE, 0, told)]})

        class Stricter(Tallies):
            def fold(self, fact: Fact | None, heard: Heard) -> Fact:
                raise Unfit("no longer")

        stricter = dataclasses.replace(COUNTER, projections=(Stricter(),))
        await committer(store, 100, stricter).take({HERE: [letter(HERE, 1, told)]})
        assert store.quarantined == {}

    asyncio.run(scenario())


def test_a_slice_behind_a_gap_waits_until_what_is_parked_can_be_looked_up() -> None:
    first, second, third = (
        Teller().tell("s", Added(amount=amount, colour="red"), revision=amount, event=f"e{amount}")
        for amount in (1, 2, 3)
    )
    store = SlowStore()
    records = [letter(HERE, offset, event) for offset, event in enumerate([second, third, first])]
    asyncio.run(committer(store, 1).take({HERE: records}))
    assert store.contents()["pages"]["tallies"]["s"].fact["sum"] == 6
    assert store.contents()["parked"] == []


def test_a_partition_that_another_claims_between_two_slices_is_left_to_it() -> None:
    async def scenario() -> None:
        async def claim(tries: int) -> None:
            if tries == 2:
                await store.claim([HERE])

        store = SlowStore(claim)
        batch = {HERE: tallied(HERE, 8), THERE: tallied(THERE, 8)}
        reached = await committer(store, 4).take(batch)
        assert reached == {HERE: 2, THERE: 8}
        await committer(store, 100).take({HERE: batch[HERE]})
        assert store.contents() == await counted(batch)

    asyncio.run(scenario())


@pytest.mark.parametrize("failing", [1, 2, 4])
def test_what_was_planned_ahead_is_dropped_with_a_commit_that_fails(failing: int) -> None:
    async def scenario() -> None:
        async def fail(tries: int) -> None:
            if tries == failing:
                raise Interrupted("for once")

        store = SlowStore(fail)
        batch = {HERE: tallied(HERE, 8), THERE: tallied(THERE, 8)}
        assert await committer(store, 4).take(batch) == {HERE: 8, THERE: 8}
        assert store.tries == 5
        assert store.contents() == await counted(batch)

    asyncio.run(scenario())


async def counted(batch: Mapping[TopicPartition, list[Record]]) -> dict[str, Any]:
    """What counting them at once comes to."""
    store = MemoryStore()
    await committer(store, 10_000).take(batch)
    return store.contents()


def test_what_retention_took_while_it_was_not_counted_yet_is_no_hole() -> None:
    """Two looks alike prove nothing where the log begins only behind what is lacking."""

    async def scenario() -> None:
        log, counting = {"begins": 0}, committer(MemoryStore(), 10)

        async def bounds(places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
            return dict.fromkeys(places, (log["begins"], 8))

        counting.ask_bounds_of(bounds)
        records = tallied(HERE, 8)
        assert await counting.take({HERE: records[:2]}) == {HERE: 2}
        assert await counting.take({HERE: records[3:4]}) == {HERE: 2}
        assert await counting.take({HERE: records[3:4]}) == {HERE: 4}  # a mere hole
        log["begins"] = 7
        assert await counting.take({HERE: records[7:]}) == {HERE: 4}
        with pytest.raises(LogBroken, match="retention"):
            await counting.take({HERE: records[7:]})
        log["begins"] = 0
        assert await counting.take({HERE: [*records[4:5], *records[6:7]]}) == {HERE: 7}  # so is what lies within

    asyncio.run(scenario())


def test_what_retention_took_between_two_records_in_hand_is_no_hole() -> None:
    """Records that were read one poll after another may be handed over together."""

    async def scenario() -> None:
        begins, counting = iter([0, 6]), committer(MemoryStore(), 10)

        async def bounds(places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
            return dict.fromkeys(places, (next(begins), 8))

        counting.ask_bounds_of(bounds)
        records = tallied(HERE, 8)
        with pytest.raises(LogBroken, match="only 2 records of it are counted"):
            await counting.take({HERE: [*records[:2], *records[6:]]})

    asyncio.run(scenario())
