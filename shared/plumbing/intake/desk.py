"""The desk where foreign events are taken, in batches from a topic or over HTTP."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.plumbing.cloudevents import CloudEvent
from shared.plumbing.dead_letters import Retried, Settled
from shared.plumbing.identity import Identity
from shared.plumbing.intake.deciding import decide_all, mark_duplicates
from shared.plumbing.intake.early import Early
from shared.plumbing.intake.items import Item, Receipt, Understood, item_of
from shared.plumbing.intake.reading import Reader
from shared.plumbing.intake.recording import Recorder, Tallies
from shared.plumbing.journal import Draft, Ledger
from shared.plumbing.listening import Batch, Offsets
from shared.plumbing.quarantine import DeadLetter
from shared.plumbing.settling import settle
from shared.plumbing.streak import Streak
from shared.plumbing.telemetry import TAKEN


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
        """Listener: take one poll of the intake topic. Raises TooManyDeadLetters, Stale and database errors."""
        items = [self._reader.read(item_of(record)) for records in batch.values() for record in records]
        streak = self._streak.after((item.place, item.unread) for item in items)
        await settle(items, self._attempt)
        self._streak.goes_on(streak)
        return {partition: records[-1].offset + 1 for partition, records in batch.items()}

    def forget(self) -> None:
        """Nothing is assumed about partitions here: receipts tell what was taken."""

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
        for item in items:
            TAKEN.labels(item.type if item.task else "unknown", item.outcome).inc()

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
