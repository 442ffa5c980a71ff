"""Taking over from who counts live: what was seen of the numbers before is in them afterwards."""

from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.plumbing.committer import BatchCommitter
from shared.plumbing.database import Session
from shared.plumbing.generations import Generations
from shared.plumbing.rebuilding import Rebuild

HERE = TopicPartition("t", 0)


class Topic:
    """One partition, and a consumer of it."""

    def __init__(self, end: int) -> None:
        self.end = end

    def assignment(self) -> set[TopicPartition]:
        return {HERE}

    async def end_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {HERE: self.end}

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        return {HERE: [SimpleNamespace(offset=self.end - 1)]}


class Counters:
    """The generation that is live, which counts all there is until it is held, and the one that is built."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self.live = self.built = topic.end
        self.answers: int | None = None
        """How far is counted what answers since the swap."""

    async def behind(self, number: int, ends: Mapping[TopicPartition, int], *_: Any) -> int:
        return max(0, min(self.live, ends[HERE]) - self.built)

    async def hold(self, *_: Any) -> None:
        self._topic.end += 5
        self.live = self._topic.end

    async def swap(self, number: int, ends: Mapping[TopicPartition, int], _: Any) -> bool:
        if await self.behind(number, ends):
            return False
        self.answers = self.built
        return True

    def ask_bounds_of(self, _: Any) -> None: ...

    async def take(self, batch: Mapping[TopicPartition, Any]) -> dict[TopicPartition, int]:
        self.built = batch[HERE][-1].offset + 1
        return {HERE: self.built}


async def test_what_was_counted_just_before_the_hold_is_caught_up_with() -> None:
    topic = Topic(100)
    counters = Counters(topic)
    rebuild = Rebuild(
        cast("AIOKafkaConsumer", topic),
        cast("BatchCommitter", counters),
        cast("Generations", counters),
        2,
        cast("Session", None),
        batch_records=1_000,
    )
    assert await rebuild.take_over()
    assert counters.answers == 105
