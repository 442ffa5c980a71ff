"""The batch committer: exact aggregates from at-least-once delivery (ARCHITECTURE §5, STREAMING §4.3 and §4.4).

Invariant, per partition p with log L: what is stored = F(L[0 .. cursor)), and the cursor moves in the transaction
that writes the rest. Where Kafka lets us begin is only a hint: what lies behind the cursor is dropped, and when the
first record lies beyond it, the partition is read again from the cursor.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias

from aiokafka import TopicPartition

from shared.plumbing.clock import Clock
from shared.plumbing.counting import Counter, Handed, read_all, waiting, wanted
from shared.plumbing.crashing import point
from shared.plumbing.listening import Batch
from shared.plumbing.logs import check_cursor
from shared.plumbing.plan import Outcome, Plan
from shared.plumbing.store import Cursor, CursorMoved, Interrupted, Move, Store
from shared.plumbing.store_documents import place_name
from shared.plumbing.streak import Streak
from shared.plumbing.telemetry import COUNTED, QUARANTINED, logger

Bounds: TypeAlias = Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, tuple[int, int]]]]
"""Asks Kafka for the first offset and the end of each partition's log."""

ATTEMPTS = 3
"""Commits tried in one hand-over before the trouble is left to the listening recipe and its backoff."""

MOST_TOLD = 20
"""Gaps and quarantined records of one batch that are logged one by one."""

UNCOUNTED = Cursor(0, 0)
log = logger("committer")


class BatchCommitter:
    """Counts what it hears, exactly once in effect. One instance per consumer; the `Listener` of a subscription."""

    def __init__(
        self,
        counter: Counter,
        store: Store,
        clock: Clock,
        *,
        max_dead_letters_in_a_row: int,
        bounds: Bounds | None = None,
    ) -> None:
        self._counter = counter
        self._store = store
        self._clock = clock
        self._streak = Streak(max_dead_letters_in_a_row)
        self._bounds = bounds
        self._cursors: dict[TopicPartition, Cursor] = {}
        self._rewound: dict[TopicPartition, int] = {}
        self._generation = 0

    def ask_bounds_of(self, bounds: Bounds) -> None:
        """Tell where a log's first offset and end can be asked; from then on each claim checks them."""
        self._bounds = bounds

    def forget(self) -> None:
        """Claim again before the next record."""
        self._generation += 1
        self._cursors.clear()
        self._rewound.clear()

    async def begins(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where counting goes on in each partition. Raises LogBroken, database errors and KafkaError."""
        standing = await self._store.cursors()
        cursors = {place: standing.get(place, UNCOUNTED) for place in places}
        if self._bounds is not None:
            for place, (start, end) in (await self._bounds(places)).items():
                check_cursor(place, cursors[place], start, end)
        return {place: cursor.next for place, cursor in cursors.items()}

    async def take(self, batch: Batch) -> dict[TopicPartition, int]:
        """Count a batch in one transaction. Raises LogBroken, TooManyDeadLetters, Interrupted and database errors."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._take(batch)
            except Interrupted as trouble:
                self.forget()
                if attempt == ATTEMPTS:
                    raise
                log.info("commit interrupted, claiming again", trouble=str(trouble))
            except BaseException:
                self.forget()
                raise
        raise AssertionError("unreachable")

    async def _take(self, batch: Batch) -> dict[TopicPartition, int]:
        await self._claim([place for place in batch if place not in self._cursors])
        offsets: dict[TopicPartition, int] = {}
        in_hand: dict[TopicPartition, list[Handed]] = {}
        for place, records in batch.items():
            cursor = self._cursors[place]
            if records[0].offset > cursor.next and self._rewound.pop(place, None) != cursor.next:
                # Nothing proves that what lies between is a mere hole in the offsets: look again, once.
                self._rewound[place] = offsets[place] = cursor.next
                continue
            offsets[place] = max(cursor.next, records[-1].offset + 1)
            fresh = [record for record in records if record.offset >= cursor.next]
            if fresh:
                in_hand[place] = read_all(self._counter, fresh)
        while in_hand:
            try:
                outcome = await self._commit(in_hand, offsets)
            except CursorMoved as moved:
                log.warning("partitions are counted by another", places=sorted(moved.places))
                standing = await self._store.cursors()
                for place in moved.places:
                    in_hand.pop(place, None)
                    self._cursors.pop(place, None)
                    offsets[place] = standing[place].next if place in standing else 0
                continue
            self._tell(outcome)
            break
        return offsets

    async def _claim(self, places: Collection[TopicPartition]) -> None:
        if not places:
            return
        generation = self._generation
        point("committer.claim")
        cursors = await self._store.claim(places)
        point("committer.claimed")
        if self._bounds is not None:
            for place, (start, end) in (await self._bounds(places)).items():
                check_cursor(place, cursors[place], start, end)
        if generation != self._generation:
            raise Interrupted("partitions moved while they were claimed")
        self._cursors.update(cursors)

    async def _commit(
        self, in_hand: Mapping[TopicPartition, list[Handed]], offsets: Mapping[TopicPartition, int]
    ) -> Outcome:
        handed = [item for items in in_hand.values() for item in items]
        streak = self._streak.after((_place(item), item.unreadable) for item in handed)
        point("committer.read")
        pages = await self._store.pages(wanted(self._counter, handed))
        to_open = waiting(pages)
        parked = await self._store.parked(to_open) if to_open else {}
        # One shard as long as our partitions are the same. Should another have claimed its partition meanwhile, the two
        # transactions conflict and one of them is tried again; no sum goes wrong by it.
        shard = place_name(min(self._cursors))
        outcome = Plan(self._counter, pages, parked, self._clock.now(), shard).work(handed)
        moves = {
            place: Move(
                self._cursors[place],
                offsets[place],
                outcome.recorded.get(place, self._cursors[place].recorded),
            )
            for place in in_hand
        }
        generation = self._generation
        point("committer.commit")
        await self._store.commit(moves, outcome.writes)
        point("committer.committed")
        self._streak.goes_on(streak)
        if generation == self._generation:
            for place, move in moves.items():
                self._cursors[place] = Cursor(move.next, move.epoch, move.recorded)
        return outcome

    def _tell(self, outcome: Outcome) -> None:
        for topic, count in outcome.counted.items():
            COUNTED.labels(topic).inc(count)
        for sentence in outcome.forks:
            log.error("fork: two events claim one revision", subject=sentence)
        for sentence in outcome.gaps[:MOST_TOLD]:
            log.warning("gap: events wait for a missing revision", subject=sentence)
        for letter in outcome.writes.quarantine:
            QUARANTINED.labels(letter.letter.topic).inc()
        for letter in outcome.writes.quarantine[:MOST_TOLD]:
            log.warning("record quarantined", place=letter.letter.place, reason=letter.reason)


def _place(item: Handed) -> str:
    return f"{item.record.topic}/{item.record.partition}/{item.record.offset}"
