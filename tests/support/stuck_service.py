"""`python -m tests.support.stuck_service KIND FOLDER`: a service whose first life gets stuck in the way of KIND.

`awaits`: its listener never returns. `blocks`: it blocks the event loop. `leaves`: its consumer leaves the group at an
error that it did not expect. `relay`: its relay never gets an answer.
In the next life it works and writes what it took into FOLDER/taken.
"""

import asyncio
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from shared.contracts.catalogue import dead_letters_topic, events_topic, watermarks_topic
from shared.plumbing.app import Service
from shared.plumbing.clock import SystemClock
from shared.plumbing.database import Document, open_client
from shared.plumbing.listening import Batch, Hearing, Offsets, Record
from shared.plumbing.publishing import Publisher
from shared.plumbing.relay import Relay
from shared.plumbing.serving import serve
from shared.plumbing.settings import Settings

KIND, FOLDER = sys.argv[1], Path(sys.argv[2])


def stuck_already() -> bool:
    """Whether an earlier life got stuck; notes that this one now does."""
    marker = FOLDER / "stuck"
    if marker.exists():
        return True
    marker.touch()
    return False


class Taking:
    """The listener."""

    async def take(self, batch: Batch) -> Offsets:
        if KIND == "awaits" and not stuck_already():
            await asyncio.Event().wait()
        if KIND == "blocks" and not stuck_already():
            threading.Event().wait()
        with (FOLDER / "taken").open("ab") as taken:
            taken.writelines(record.value or b"" for records in batch.values() for record in records)
        return {place: records[-1].offset + 1 for place, records in batch.items()}

    def forget(self) -> None:
        """Nothing is assumed about partitions."""


class LeavingGroup(Hearing):
    """Its consumer finds an error that it does not expect when it looks for the coordinator again."""

    async def hear(self, records: Sequence[Record], consumer: AIOKafkaConsumer) -> None:
        if KIND == "leaves" and not stuck_already():
            consumer._coordinator.ensure_coordinator_known = never_found
            consumer._coordinator.coordinator_dead()
            await asyncio.Event().wait()
        await super().hear(records, consumer)


async def never_found() -> None:
    raise RuntimeError("nobody expects this")


class StuckRelay(Relay):
    """Waits for ever with the first records it has to send."""

    async def _send(self, publisher: Publisher, documents: Sequence[Document]) -> None:
        if KIND == "relay" and documents and not stuck_already():
            await asyncio.Event().wait()
        await super()._send(publisher, documents)


def build(settings: Settings) -> Service:
    client = open_client(settings.mongo)
    database = client[f"{settings.database_prefix}{KIND}"]
    topic = events_topic(settings.topic_prefix, "customer")
    relay = StuckRelay(
        client,
        database,
        SystemClock(),
        kafka=settings.kafka,
        events_topic=topic,
        dead_letters_topic=dead_letters_topic(settings.topic_prefix),
        watermarks_topic=watermarks_topic(settings.topic_prefix),
        service="customer",
    )
    hearing = LeavingGroup(KIND, [topic], Taking())
    return Service(
        name="customer", settings=settings, client=client, database=database, hearings=[hearing], relay=relay
    )


if __name__ == "__main__":
    serve(build)
