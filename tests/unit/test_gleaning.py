"""What came while a batch was taken joins the next one: with a consumer written by hand."""

from collections.abc import Sequence
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from shared.plumbing import gleaning
from shared.plumbing.gleaning import Gleaner
from shared.plumbing.listening import Record

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gleaning, "AT_ONCE_S", 60.0)


class Consumer:
    """Hands over what lies at the broker, as much as is asked for."""

    def __init__(self, *at_the_broker: Record) -> None:
        self.at_the_broker = list(at_the_broker)
        self.asked_for: list[int] = []
        self.trouble: Exception | None = None

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        assert timeout_ms > 0
        self.asked_for.append(max_records)
        if self.trouble is not None:
            raise self.trouble
        found: dict[TopicPartition, list[Record]] = {}
        for one in self.at_the_broker[:max_records]:
            found.setdefault(TopicPartition(one.topic, one.partition), []).append(one)
        del self.at_the_broker[:max_records]
        return found


def records(partition: TopicPartition, *offsets: int) -> list[Record]:
    return [
        ConsumerRecord(partition.topic, partition.partition, offset, 0, 0, None, b"", None, 0, 0, ())
        for offset in offsets
    ]


async def completed(gleaner: Gleaner, consumer: Consumer, *lying: Record) -> list[tuple[int, int]]:
    found = await gleaner.completed(lying, cast("AIOKafkaConsumer", consumer))
    return places(found)


def places(found: Sequence[Record]) -> list[tuple[int, int]]:
    return [(one.partition, one.offset) for one in found]


async def test_behind_a_batch_all_that_came_meanwhile_is_taken_in_order() -> None:
    gleaner, consumer = Gleaner(10), Consumer(*records(A, 4, 6), *records(B, 0))
    gleaner.rest()
    assert await completed(gleaner, consumer, *records(A, 3)) == [(0, 3), (0, 4), (0, 6), (1, 0)]


async def test_what_was_waited_for_is_handed_over_at_once() -> None:
    gleaner, consumer = Gleaner(10), Consumer(*records(A, 4))
    assert await completed(gleaner, consumer, *records(A, 3)) == [(0, 3)]
    assert consumer.asked_for == []


async def test_what_came_long_after_the_last_batch_is_handed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gleaner, consumer = Gleaner(10), Consumer(*records(A, 4))
    gleaner.rest()
    monkeypatch.setattr(gleaning, "AT_ONCE_S", -1.0)
    assert await completed(gleaner, consumer, *records(A, 3)) == [(0, 3)]


async def test_a_batch_does_not_grow_beyond_its_bounds() -> None:
    gleaner, consumer = Gleaner(3), Consumer(*records(A, 4, 5, 6))
    gleaner.rest()
    assert await completed(gleaner, consumer, *records(A, 2, 3)) == [(0, 2), (0, 3), (0, 4)]
    assert await completed(gleaner, consumer, *records(A, 5, 6, 7)) == [(0, 5), (0, 6), (0, 7)]
    assert consumer.asked_for == [1]


async def test_what_is_in_hand_is_not_taken_twice_when_a_partition_begins_again() -> None:
    gleaner, consumer = Gleaner(10), Consumer(*records(A, 2, 3, 4, 5), *records(B, 7))
    gleaner.rest()
    assert await completed(gleaner, consumer, *records(A, 3, 4)) == [(0, 3), (0, 4), (0, 5), (1, 7)]


@pytest.mark.parametrize("trouble", [KafkaError("away"), ConsumerStoppedError(), RuntimeError("unforeseen")])
async def test_trouble_does_not_lose_what_is_in_hand(trouble: Exception) -> None:
    gleaner, consumer = Gleaner(10), Consumer()
    gleaner.rest()
    consumer.trouble = trouble
    assert await completed(gleaner, consumer, *records(A, 3)) == [(0, 3)]
