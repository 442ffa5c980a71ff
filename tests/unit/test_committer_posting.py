"""Slips are posted beside the batches that come: neither holds up the other, and no sum is told twice or left out."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.plumbing.clock import ManualClock
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.listening import Record
from shared.plumbing.slips import Rules
from shared.plumbing.store import Interrupted, Writes
from shared.plumbing.store_memory import MemoryStore
from tests.support.running_tally import COUNTER, Added
from tests.support.telling import NOON, Teller, letter

HERE = TopicPartition("t", 0)
RULES = Rules(small=2, ripe_records=2, most_records=6)
PATIENT = Rules(many=2)
TIGHT = Rules(many=2, sums_together=8)


class PostingStore(MemoryStore):
    """Posts when it is let, or fails behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = asyncio.Event(), asyncio.Event()
        self.answer_lost = False

    async def post(self, writes: Writes) -> None:
        if not self.let.is_set():
            self.asked.set()
            await self.let.wait()
        await super().post(writes)
        if self.answer_lost and writes.posted:
            self.answer_lost = False
            raise Interrupted("nobody knows")


def committer(store: MemoryStore, rules: Rules = RULES) -> BatchCommitter:
    clock = ManualClock(datetime(2026, 6, 1, tzinfo=UTC))
    return BatchCommitter(COUNTER, store, clock, max_dead_letters_in_a_row=100, rules=rules)


def tallied(count: int) -> list[Record]:
    teller = Teller()
    told = [
        teller.tell(f"s{number}", Added(amount=number + 1, colour="red"), time=NOON + timedelta(days=number))
        for number in range(count)
    ]
    return [letter(HERE, offset, event) for offset, event in enumerate(told)]


async def counted(records: list[Record]) -> dict[str, Any]:
    """What counting them at once comes to."""
    store = MemoryStore()
    await committer(store).take({HERE: records})
    return store.contents()


def test_slips_are_posted_once_they_are_ripe() -> None:
    async def scenario() -> None:
        store, records = MemoryStore(), tallied(3)
        counting = committer(store)
        for offset, standing in ((0, 1), (1, 0), (2, 1)):
            await counting.take({HERE: records[offset : offset + 1]})
            await counting.post()
            assert len(store.slips_standing) == standing
        assert store.contents() == await counted(records)

    asyncio.run(scenario())


@pytest.mark.parametrize(("rules", "standing"), [(PATIENT, [1, 2, 1, 2, 1]), (TIGHT, [1, 2, 0, 1, 2])])
def test_many_slips_of_few_records_become_one_unless_that_would_be_too_large(rules: Rules, standing: list[int]) -> None:
    async def scenario() -> None:
        store, records = MemoryStore(), tallied(5)
        counting = committer(store, rules)
        for offset, left in enumerate(standing):
            await counting.take({HERE: records[offset : offset + 1]})
            await counting.post()
            assert len(store.slips_standing) == left
        assert sum(slip.records for slip in store.slips_standing.values()) == (5 if rules is PATIENT else 2)
        assert store.contents() == await counted(records)

    asyncio.run(scenario())


def test_a_small_batch_does_not_wait_for_the_posting_and_a_large_one_does() -> None:
    async def scenario() -> None:
        store, records = PostingStore(), tallied(8)
        store.let.set()
        counting = committer(store)
        for offset in (0, 1):
            await counting.take({HERE: records[offset : offset + 1]})
        store.let.clear()
        posting = asyncio.create_task(counting.post())
        await store.asked.wait()
        assert await counting.take({HERE: records[2:4]}) == {HERE: 4}
        large = asyncio.create_task(counting.take({HERE: records[4:]}))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not large.done()
        store.let.set()
        assert await large == {HERE: 8}
        await posting
        assert store.slips_standing == {}
        assert store.contents() == await counted(records)

    asyncio.run(scenario())


def test_after_a_posting_of_which_nobody_knows_the_next_claim_tells() -> None:
    async def scenario() -> None:
        store, records = PostingStore(), tallied(5)
        store.let.set()
        counting = committer(store)
        for offset in (0, 1):
            await counting.take({HERE: records[offset : offset + 1]})
        store.answer_lost = True
        await counting.post()
        assert store.slips_standing == {}
        for offset in (2, 3, 4):
            assert await counting.take({HERE: records[offset : offset + 1]}) == {HERE: offset + 1}
            await counting.post()
        assert store.contents() == await counted(records)

    asyncio.run(scenario())
