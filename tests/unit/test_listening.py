"""The recipe around a listener, with a consumer and a listener written by hand: nothing is skipped or raised."""

import asyncio
from collections.abc import AsyncIterable, Callable, Collection, Sequence
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.plumbing.listening import A_LOT, Batch, Hearing, Offsets, Record

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class Consumer:
    """As much of a consumer as the recipe uses; seeking and committing work on assigned partitions alone."""

    def __init__(self, *assigned: TopicPartition) -> None:
        self.assigned = set(assigned)
        self.sought: list[tuple[TopicPartition, int]] = []
        self.committed_at: list[dict[TopicPartition, int]] = []
        self.refuse_commits = False
        self.answers_no_more = False
        self.ends = {A: 0, B: 0}
        self.committed_before: dict[TopicPartition, int] = {}
        self.waiting: list[list[Record]] = []

    async def getmany(self, **_: int) -> dict[TopicPartition, list[Record]]:
        polled: dict[TopicPartition, list[Record]] = {}
        for record in self.waiting.pop(0) if self.waiting else ():
            polled.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
        return polled

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self.assigned:
            raise IllegalStateError
        self.sought.append((partition, offset))

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refuse_commits:
            raise CommitFailedError
        self.committed_at.append(dict(offsets))

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: self.ends[partition] for partition in partitions}

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self.answers_no_more:
            await asyncio.Event().wait()
        return dict.fromkeys(partitions, 0)

    async def committed(self, partition: TopicPartition) -> int | None:
        return self.committed_before.get(partition)


class Listener:
    """Takes what it is handed, unless told what to do first."""

    def __init__(self) -> None:
        self.taken: list[dict[TopicPartition, list[int]]] = []
        self.first: list[Callable[[Batch], Offsets | None]] = []
        self.forgot = 0

    async def take(self, batch: Batch) -> Offsets:
        self.taken.append({partition: [one.offset for one in records] for partition, records in batch.items()})
        answer = self.first.pop(0)(batch) if self.first else None
        return answer if answer is not None else {p: records[-1].offset + 1 for p, records in batch.items()}

    def forget(self) -> None:
        self.forgot += 1


def records(partition: TopicPartition, *offsets: int) -> list[Record]:
    return [
        ConsumerRecord(partition.topic, partition.partition, offset, 0, 0, None, b"", None, 0, 0, ())
        for offset in offsets
    ]


def failing(times: int, before: Callable[[], Any] = lambda: None) -> list[Callable[[Batch], Offsets | None]]:
    def fail(_batch: Batch) -> Offsets | None:
        before()
        raise ConnectionError("the database is away")

    return [fail] * times


class Scene:
    """A hearing with its listener and its consumer of partitions A and B."""

    def __init__(self) -> None:
        self.listener, self.consumer = Listener(), Consumer(A, B)
        self.hearing = Hearing("group", ["t"], self.listener)

    async def poll(self, *polled: Record) -> None:
        await self.hearing.hear(polled, cast("AIOKafkaConsumer", self.consumer))


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_explicit_offsets_are_committed_for_each_partition(scene: Scene) -> None:
    await scene.poll(*records(A, 3, 4), *records(B, 9), *records(A, 7))
    assert scene.listener.taken == [{A: [3, 4, 7], B: [9]}]
    assert scene.consumer.committed_at == [{A: 8, B: 10}]
    assert scene.consumer.sought == []


async def test_a_raising_listener_is_called_again_with_the_same_batch(scene: Scene) -> None:
    scene.listener.first = failing(2)
    await scene.poll(*records(A, 3))
    assert scene.listener.taken == [{A: [3]}] * 3
    assert scene.consumer.committed_at == [{A: 4}]
    assert scene.hearing.failing is None


async def test_a_batch_given_up_is_rewound_before_anything_later_is_taken(scene: Scene) -> None:
    scene.listener.first = failing(1, scene.hearing.stop)
    await scene.poll(*records(A, 3, 4))
    assert scene.consumer.committed_at == []
    assert scene.hearing.failing == "ConnectionError: the database is away"
    await scene.poll(*records(A, 5, 6), *records(B, 1))
    assert scene.consumer.sought == [(A, 3)]
    assert scene.listener.taken[1:] == [{B: [1]}]
    assert scene.consumer.committed_at == [{B: 2}]
    await scene.poll(*records(A, 3, 4, 5))
    assert scene.listener.taken[2:] == [{A: [3, 4, 5]}]
    assert scene.consumer.committed_at[1:] == [{A: 6}]


async def test_a_batch_of_partitions_all_gone_is_given_up(scene: Scene) -> None:
    scene.listener.first = failing(1, scene.consumer.assigned.clear)
    await scene.poll(*records(A, 3))
    assert scene.listener.taken == [{A: [3]}]
    assert scene.consumer.committed_at == []


class Backlog(Scene):
    """A hearing that goes on with a backlog: batches of 4,000 records of A each, whole or with a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[int] = []
        self.fail_at: int | None = None
        self.stop_at: int | None = None
        self.hearing = Hearing("group", ["t"], self.listener, take_all=self.take_all)
        self.consumer.waiting = [records(A, *range(at, at + A_LOT)) for at in (A_LOT, 2 * A_LOT)]

    async def take_all(self, batches: AsyncIterable[Batch]) -> Offsets:
        offsets: dict[TopicPartition, int] = {}
        async for batch in batches:
            first = batch[A][0].offset
            await asyncio.sleep(0)  # the next is read meanwhile
            if first == self.fail_at:
                raise ConnectionError("the database is away")
            self.taken.append(first)
            offsets[A] = batch[A][-1].offset + 1
            if first == self.stop_at:
                break
        return offsets


async def test_behind_a_lot_more_is_read_until_there_is_none() -> None:
    scene = Backlog()
    await scene.poll(*records(A, *range(A_LOT)))
    assert scene.taken == [0, A_LOT, 2 * A_LOT]
    assert scene.consumer.committed_at == [{A: 3 * A_LOT}]
    assert (scene.consumer.sought, scene.listener.taken) == ([], [])
    await scene.poll(*records(A, 3 * A_LOT))
    assert scene.listener.taken == [{A: [3 * A_LOT]}]


async def test_what_was_read_ahead_and_not_taken_is_read_again() -> None:
    scene = Backlog()
    scene.stop_at = A_LOT
    scene.consumer.waiting[1] += records(B, 7)
    await scene.poll(*records(A, *range(A_LOT)))
    assert scene.taken == [0, A_LOT]
    assert sorted(scene.consumer.sought) == [(A, 2 * A_LOT), (B, 7)]
    assert scene.consumer.committed_at == [{A: 2 * A_LOT, B: 7}]


async def test_a_backlog_that_fails_is_taken_batch_by_batch() -> None:
    scene = Backlog()
    scene.fail_at = A_LOT
    await scene.poll(*records(A, *range(A_LOT)))
    assert [len(taken[A]) for taken in scene.listener.taken] == [A_LOT]
    assert scene.consumer.sought == [(A, A_LOT)]
    assert scene.consumer.committed_at == [{A: A_LOT}]


async def test_a_backlog_that_is_taken_ends_what_was_wrong_before() -> None:
    scene = Backlog()
    scene.hearing.failing = "LogBroken: of a partition that was given away since"
    await scene.poll(*records(A, *range(A_LOT)))
    assert scene.hearing.failing is None


async def test_a_stop_does_not_wait_for_a_consumer_that_answers_no_more(scene: Scene) -> None:
    scene.hearing.attach(lambda: cast("AIOKafkaConsumer", scene.consumer), joins_twice=False)
    scene.consumer.ends = {A: 5, B: 7}
    assert await scene.hearing.bounds([A, B]) == {A: (0, 5), B: (0, 7)}
    scene.consumer.answers_no_more = True
    asking = asyncio.ensure_future(scene.hearing.bounds([A]))
    await asyncio.wait([asking], timeout=0)
    assert not asking.done()
    scene.hearing.stop()
    with pytest.raises(KafkaError, match="stopped"):
        await asking


async def test_a_consumer_that_has_not_started_cannot_be_asked_yet(scene: Scene) -> None:
    consumer = AIOKafkaConsumer()
    scene.hearing.attach(lambda: consumer, joins_twice=False)
    with pytest.raises(KafkaError, match="not started"):
        await scene.hearing.bounds([A])
    await consumer.stop()


async def test_a_smaller_offset_makes_the_partition_be_read_again_from_there(scene: Scene) -> None:
    scene.listener.first = [lambda _: {A: 4, B: 10}]
    await scene.poll(*records(A, 3, 4, 5), *records(B, 9))
    assert scene.consumer.sought == [(A, 4)]
    assert scene.consumer.committed_at == [{A: 4, B: 10}]
    await scene.poll(*records(A, 4, 5))
    assert scene.consumer.committed_at[1:] == [{A: 6}]


async def test_a_partition_without_an_answer_is_not_committed(scene: Scene) -> None:
    scene.listener.first = [lambda _: {B: 10}]
    await scene.poll(*records(A, 3), *records(B, 9))
    assert scene.consumer.committed_at == [{B: 10}]


async def test_revoked_partitions_are_forgotten(scene: Scene) -> None:
    scene.listener.first = failing(1, scene.hearing.stop)
    await scene.poll(*records(A, 3))
    await scene.hearing.on_partitions_revoked([A])
    assert scene.listener.forgot == 1
    await scene.poll(*records(A, 8))
    assert scene.consumer.sought == []
    assert scene.consumer.committed_at == [{A: 9}]


async def test_nothing_is_committed_or_sought_for_a_partition_that_moved_away(scene: Scene) -> None:
    def moves_away(_batch: Batch) -> Offsets:
        scene.consumer.assigned.discard(A)
        return {A: 4, B: 10}

    scene.listener.first = [moves_away]
    await scene.poll(*records(A, 3, 4, 5), *records(B, 9))
    assert scene.consumer.sought == []
    assert scene.consumer.committed_at == [{B: 10}]


async def test_a_refused_commit_is_no_failure(scene: Scene) -> None:
    scene.consumer.refuse_commits = True
    await scene.poll(*records(A, 3))
    scene.consumer.refuse_commits = False
    await scene.poll(*records(A, 4))
    assert scene.consumer.committed_at == [{A: 5}]


async def test_an_empty_poll_is_nothing(scene: Scene) -> None:
    await scene.poll()
    assert (scene.listener.taken, scene.consumer.committed_at) == ([], [])


async def test_a_look_back_that_succeeds_is_no_failure_any_more(scene: Scene) -> None:
    """Nothing else says so where no record comes, and a process that is not ready is asked nothing."""
    answers: list[Exception | None] = [KafkaError("not yet"), None]

    async def begins(places: Collection[TopicPartition]) -> Offsets:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return dict.fromkeys(places, 5)

    hearing = Hearing("group", ["t"], scene.listener, begins)
    hearing.attach(lambda: cast("AIOKafkaConsumer", scene.consumer), joins_twice=False)
    failing = []
    for _ in range(2):
        await hearing.look_back()
        failing.append(hearing.failing)
    assert failing == ["KafkaError: KafkaError: not yet", None]
    assert sorted(scene.consumer.sought) == [(A, 5), (B, 5)]


async def test_lag_counts_what_is_not_taken_yet(scene: Scene) -> None:
    assert await scene.hearing.lag() is None
    scene.hearing.attach(lambda: cast("AIOKafkaConsumer", scene.consumer), joins_twice=False)
    assert await scene.hearing.lag() is None
    await scene.hearing.on_partitions_assigned([A, B])
    scene.consumer.ends = {A: 8, B: 2}
    await scene.poll(*records(A, 3))
    assert await scene.hearing.lag() == 4 + 2
    scene.consumer.assigned = {A}
    await scene.poll(*records(A, 7))
    assert await scene.hearing.lag() == 0


@pytest.mark.parametrize("assigned_meanwhile", [True, False], ids=["assigned-meanwhile", "assigned-later"])
async def test_a_batch_that_ends_after_its_partition_left_says_nothing_of_it(
    scene: Scene, assigned_meanwhile: bool
) -> None:
    """Else a partition that comes back later seems to lag behind where another has long been, and we seem stuck."""
    scene.hearing.attach(lambda: cast("AIOKafkaConsumer", scene.consumer), joins_twice=False)

    async def moved() -> None:
        scene.consumer.assigned = {B}
        await scene.hearing.on_partitions_assigned([B])

    class Slow(Listener):
        async def take(self, batch: Batch) -> Offsets:
            await scene.hearing.on_partitions_revoked([A, B])
            if assigned_meanwhile:
                await moved()
            return await super().take(batch)

    scene.hearing.listener = Slow()
    await scene.poll(*records(A, 3))
    if not assigned_meanwhile:
        await moved()
    scene.consumer.assigned, scene.consumer.ends = {A, B}, {A: 9, B: 0}
    await scene.hearing.on_partitions_revoked([B])
    await scene.hearing.on_partitions_assigned([A, B])
    scene.consumer.committed_before = {A: 9}
    assert await scene.hearing.lag() == 0


async def test_a_spare_member_has_nothing_to_take(scene: Scene) -> None:
    scene.hearing.attach(lambda: cast("AIOKafkaConsumer", scene.consumer), joins_twice=False)
    scene.consumer.assigned = set()
    await scene.hearing.on_partitions_assigned([])
    assert await scene.hearing.lag() == 0
    await scene.hearing.on_partitions_revoked([])
    assert await scene.hearing.lag() is None
