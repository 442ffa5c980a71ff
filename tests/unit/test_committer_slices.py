"""A hand-over in slices, one planned while another commits, counts what one after another counts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.plumbing.clock import ManualClock
from shared.plumbing.committer import BatchCommitter, sliced
from shared.plumbing.listening import Record
from shared.plumbing.store import Interrupted, Move, Writes
from shared.plumbing.store_memory import MemoryStore
from tests.support.histories import histories
from tests.support.running_tally import COUNTER, Added
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


@settings(max_examples=60)
@given(told=histories(), slice_records=st.integers(1, 4))
def test_slices_make_no_difference(told: list[tuple[TopicPartition, dict[str, Any]]], slice_records: int) -> None:
    batch: dict[TopicPartition, list[Record]] = {}
    for place, event in told:
        log = batch.setdefault(place, [])
        log.append(letter(place, len(log), event))
    stores = MemoryStore(), SlowStore()
    reached = [
        asyncio.run(committer(store, size, ALL_OF_IT).take(batch)) if batch else {}
        for store, size in zip(stores, (10_000, slice_records), strict=True)
    ]
    assert reached[0] == reached[1]
    assert stores[0].contents() == stores[1].contents()


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
