"""`python -m tests.support.listening_process KAFKA TOPIC GROUP`: listens, and says `taken` when it took something."""

import asyncio
import sys

from faststream.kafka import KafkaBroker

from shared.plumbing.listening import Batch, Hearing, Offsets
from shared.plumbing.subscribing import listen


class Telling:
    """A listener that keeps how many records it took, and says so."""

    def __init__(self) -> None:
        self.taken = 0

    async def take(self, batch: Batch) -> Offsets:
        self.taken += sum(map(len, batch.values()))
        print("taken", flush=True)
        return {place: records[-1].offset + 1 for place, records in batch.items()}

    def forget(self) -> None:
        """It remembers nothing of partitions."""


def broker_with(kafka: str, topic: str, group: str, listener: Telling, instance: str | None = None) -> KafkaBroker:
    """A broker that will listen as every service does."""
    broker = KafkaBroker(kafka, logger=None)
    hearing = Hearing(group, [topic], listener)
    listen(broker, hearing, group_prefix="", batch_records=100, batch_wait_ms=20, instance=instance)
    return broker


async def main() -> None:
    kafka, topic, group = sys.argv[1:]
    await broker_with(kafka, topic, group, Telling()).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
