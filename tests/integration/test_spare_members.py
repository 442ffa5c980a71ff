"""More members than partitions: whoever has nothing to do stays able to take over (aio-libs/aiokafka#1187, #720)."""

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
from faststream.kafka import KafkaBroker

from shared.plumbing.listening import Batch, Hearing, Offsets
from shared.plumbing.subscribing import listen
from tests.support.eventually import eventually
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack

MAX_POLL_INTERVAL_MS = 500
"""Far below what a spare waits here; members that aiokafka takes for idle may not join again after it."""


class Member:
    """A listener that notes what it takes."""

    def __init__(self) -> None:
        self.taken: list[bytes | None] = []

    async def take(self, batch: Batch) -> Offsets:
        self.taken += [record.value for records in batch.values() for record in records]
        return {place: records[-1].offset + 1 for place, records in batch.items()}

    def forget(self) -> None:
        """Nothing is assumed about partitions."""


@asynccontextmanager
async def member(kafka: str, topic: str) -> AsyncIterator[Member]:
    """A member of the group, joined; it leaves at the end."""
    taking = Member()
    hearing = Hearing("spares", [topic], taking)
    broker = KafkaBroker(kafka, allow_auto_create_topics=False, logger=None)
    listen(
        broker,
        hearing,
        group_prefix=topic,
        batch_records=100,
        batch_wait_ms=20,
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
    )
    await broker.start()

    async def joined() -> bool:
        return await hearing.lag() is not None

    try:
        await eventually(joined, timeout=40)
        yield taking
    finally:
        await broker.stop()


def long_ago(moment: float) -> bool:
    return time.monotonic() - moment > 3 * MAX_POLL_INTERVAL_MS / 1000


def taker(members: Iterable[Member], word: bytes) -> Member | None:
    return next((member for member in members if word in member.taken), None)


async def test_a_spare_takes_over_however_long_it_had_nothing_to_do(stack: RealStack, namespace: Namespace) -> None:
    """The topic has one partition; whoever holds it leaves, twice, long after the others were last of use."""
    topic = f"{namespace.topic_prefix}dead-letters"
    async with AsyncExitStack() as exits:
        members: dict[Member, AsyncExitStack] = {}
        for _ in range(3):
            own = await exits.enter_async_context(AsyncExitStack())
            members[await own.enter_async_context(member(stack.kafka, topic))] = own
        while members:
            idle_since = time.monotonic()
            await eventually(partial(long_ago, idle_since))
            word = f"word {len(members)}".encode()
            await write(stack.kafka, topic, [(None, word)])
            holder = await eventually(
                partial(taker, members, word),
                timeout=60,
                because=f"nobody takes what was written when {len(members)} members were left",
            )
            assert holder is not None
            await members.pop(holder).aclose()
