"""The desk where foreign events are taken, in batches from a topic or over HTTP."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition

from shared.plumbing.cloudevents import CloudEvent
from shared.plumbing.dead_letters import Retried, Settled
from shared.plumbing.identity import Identity
from shared.plumbing.intake.deciding import decide_all, mark_duplicates
from shared.plumbing.intake.early import Early
from shared.plumbing.intake.items import Item, Receipt, Understood, item_of
from shared.plumbing.intake.reading import Reader
from shared.plumbing.intake.recording import Recorder, Tallies
from shared.plumbing.journal import Draft, Ledger
from shared.plumbing.listening import Batch, Offsets, Portion, Record
from shared.plumbing.quarantine import DeadLetter
from shared.plumbing.settling import settle
from shared.plumbing.streak import Streak
from shared.plumbing.telemetry import TAKEN

PORTION = Portion(8_000, 256 * 1024)
"""What a desk is handed at once."""
AT_ONCE = 1_000
"""Events in one transaction, well below what it may hold."""
LANES = 2
BESIDE = 200
"""So few are not worth two transactions."""


class IntakeDesk:
    """Takes foreign events in batches, from a topic or over HTTP. One service has one."""

    def __init__(
        self,
        ledger: Ledger,
        identity: Identity,
        understood: Sequence[Understood],
        *,
        shard: str,
        max_dead_letters_in_a_row: int,
    ) -> None:
        """`shard` is a name that no other process of the service has."""
        self._ledger = ledger
        self._database = ledger.database
        self._identity = identity
        self._reader = Reader(identity, understood)
        self._recorder = Recorder(ledger, self._reader, shard)
        self._early = Early(ledger, self._reader, self._recorder)
        self._streak = Streak(max_dead_letters_in_a_row)
        self._taken: dict[TopicPartition, int] = {}
        """How far a batch was taken that is not taken whole yet."""
        self.sweep = self._early.sweep
        self.early = self._early.some

    async def prepare(self) -> None:
        """Indexes of receipts and early records; safe to repeat."""
        await self._database["receipts"].create_index(
            "identity", unique=True, partialFilterExpression={"identity": {"$exists": True}}
        )
        await self._database["early"].create_index("waits")
        await self._database["early"].create_index("person", sparse=True)
        await self._database["tallies"].create_index("source")

    async def take(self, batch: Batch) -> Offsets:
        """Listener: take one poll of the intake topic. Raises TooManyDeadLetters, Stale and database errors.

        Much at once is taken in lanes, some partitions in each: while MongoDB works on a transaction of one lane, we
        read and decide what comes next in the other. What was taken when another lane failed is not taken again.
        """
        left = {
            partition: [record for record in records if record.offset >= self._taken.get(partition, 0)]
            for partition, records in batch.items()
        }
        streak = self._streak
        ends = await asyncio.gather(*(self._take_lane(lane, streak) for lane in lanes_of(left)), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end
        self._taken.clear()
        return {partition: records[-1].offset + 1 for partition, records in batch.items()}

    async def _take_lane(self, lane: Sequence[Record], streak: Streak) -> None:
        for first in range(0, len(lane), AT_ONCE):
            records = lane[first : first + AT_ONCE]
            items = [self._reader.read(item_of(record)) for record in records]
            length = streak.after((item.place, item.unread) for item in items)
            await settle(items, self._attempt)
            streak.goes_on(length)
            self._taken.update({TopicPartition(one.topic, one.partition): one.offset + 1 for one in records})

    def forget(self) -> None:
        """Nothing is assumed about partitions between batches: receipts tell what was taken."""
        self._taken.clear()
        self._streak = self._streak.anew()

    async def receive(self, events: Sequence[CloudEvent]) -> list[Receipt]:
        """Take events that came over HTTP; one receipt each, in order."""
        now = self._ledger.clock.now()
        items = []
        for event in events:
            body = event.model_dump_json(exclude_none=True).encode()
            place = f"http/{self._identity.of('http', event.source, body.decode())}"
            items.append(self._reader.understand(Item(place, now, body, event=event)))
        await settle(items, self._attempt)
        return [Receipt(item.event.id if item.event else None, item.type, item.outcome, item.reason) for item in items]

    async def retry(self, letter: DeadLetter, settled: Settled) -> Retried:
        """Take a rejected event as if it had just come; what is rejected again changes nothing.

        Raises Stale, also when somebody else settled the letter meanwhile.
        """
        item = self._reader.read(Item(letter.place, letter.arrived, letter.value, letter.key, letter.headers))
        if item.unread is not None:
            return Retried("rejected", item.unread)
        item.receipted = letter.event is not None
        draft, waiting, now = await self._decided([item])
        if item.outcome == "rejected":
            return Retried(item.outcome, item.reason)
        tallies: Tallies = Counter({(letter.source, letter.tallied, "rejected"): -1})
        self._recorder.write(draft, [item], tallies, now)
        self._recorder.write_awakened(draft, waiting, tallies, now)
        draft.write("quarantine", settled(item.outcome))
        await self._recorder.commit(draft, tallies)
        return Retried(item.outcome, item.reason)

    async def _attempt(self, items: Sequence[Item]) -> None:
        draft, waiting, now = await self._decided(items)
        tallies: Tallies = Counter()
        self._recorder.write(draft, items, tallies, now)
        self._recorder.write_awakened(draft, waiting, tallies, now)
        await self._recorder.commit(draft, tallies)
        taken = Counter((item.type if item.task else "unknown", item.outcome) for item in items)
        for labels, count in taken.items():
            TAKEN.labels(*labels).inc(count)

    async def _decided(self, items: Sequence[Item]) -> tuple[Draft, list[Item], datetime]:
        """A draft in which every item is decided, what waited for them too; and the moment that was now."""
        for item in items:
            if item.task is not None:
                item.outcome, item.reason = "accepted", None
        await mark_duplicates(self._database, items)
        waiting = await self._early.waiting_for(items)
        draft = Draft()
        await self._ledger.load(draft, [item.task for item in (*items, *waiting) if item.task is not None])
        now = self._ledger.clock.now()
        decide_all(self._ledger, draft, items, waiting, now)
        return draft, waiting, now

    async def totals(self, source: str) -> dict[str, Any]:
        """Counts of one source by type and outcome since for ever, and its latest rejects (without payload)."""
        types: dict[str, dict[str, int]] = {}
        async for tally in self._database["tallies"].find({"source": source}):
            counts = types.setdefault(tally["type"], dict.fromkeys(("accepted", "duplicate", "early", "rejected"), 0))
            counts[tally["outcome"]] += tally["count"]
        rejects = [
            {"id": document["event"], "type": document["type"], "reason": document["reason"]}
            async for document in self._database["quarantine"]
            .find({"source": source, "verdict": {"$ne": "retried"}}, {"sealed": 0})
            .sort("received", -1)
            .limit(1000)
        ]
        processed = sum(sum(counts.values()) for counts in types.values())
        return {"source": source, "types": types, "processed": processed, "rejects": rejects}


def lanes_of(batch: Mapping[TopicPartition, Sequence[Record]]) -> list[list[Record]]:
    """The records in lanes, each partition's in one of them and in order."""
    count = LANES if sum(map(len, batch.values())) > BESIDE else 1
    lanes: list[list[Record]] = [[] for _ in range(count)]
    for partition, records in batch.items():
        lanes[partition.partition % count].extend(records)
    return [lane for lane in lanes if lane]
