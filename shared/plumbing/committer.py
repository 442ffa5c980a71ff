"""The batch committer: exact aggregates from at-least-once delivery (ARCHITECTURE §5, STREAMING §4.3 and §4.4).

Invariant, per partition p with log L: what is stored = F(L[0 .. cursor)), and the cursor moves in the transaction
that writes the rest. Where Kafka lets us begin is only a hint: what lies behind the cursor is dropped, and when the
first record lies beyond it, the partition is read again from the cursor.

A large hand-over is committed in slices, one after another, and while one commits, the next is read and planned on top
of it. Nothing of that is kept when the commit fails. Such work runs in a thread, so that the loop goes on: with the
commit, and with whoever asks for numbers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias, TypeVar

from aiokafka import TopicPartition

from shared.plumbing.clock import Clock
from shared.plumbing.counting import Counter, Handed, read_all, waiting, wanted
from shared.plumbing.crashing import point
from shared.plumbing.listening import Batch, Record
from shared.plumbing.logs import check_cursor
from shared.plumbing.pile import Pile
from shared.plumbing.plan import Outcome, Plan
from shared.plumbing.slips import USUAL, Rules, posted
from shared.plumbing.store import Cursor, CursorMoved, Interrupted, Move, Page, Store
from shared.plumbing.store_documents import place_name
from shared.plumbing.streak import Streak
from shared.plumbing.telemetry import COUNTED, QUARANTINED, logger

Bounds: TypeAlias = Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, tuple[int, int]]]]
"""Asks Kafka for the first offset and the end of each partition's log."""

ATTEMPTS = 3
"""Commits tried in one hand-over before the trouble is left to the listening recipe and its backoff."""

MOST_TOLD = 20
"""Gaps and quarantined records of one batch that are logged one by one."""

SLICE_RECORDS = 8_000
"""In one transaction: enough that what many records add to one sum is one write, and well below what it may hold."""

BESIDE_RECORDS, BESIDE_SUMS = 500, 5_000
"""So many are worth a thread."""

UNCOUNTED = Cursor(0, 0)
T = TypeVar("T")
log = logger("committer")


@dataclass(frozen=True)
class Planned:
    """A slice of a hand-over, ready to be committed."""

    handed: Sequence[Handed]
    nexts: Mapping[TopicPartition, int]
    """Where each of its partitions goes on behind it."""
    outcome: Outcome

    @cached_property
    def pages(self) -> dict[str, dict[str, Page]]:
        """As they will be stored, by shelf and subject."""
        pages: dict[str, dict[str, Page]] = {}
        for written in (self.outcome.writes.new, self.outcome.writes.changed):
            for shelf, touched in written.items():
                pages.setdefault(shelf, {}).update((page.subject, page) for page in touched)
        return pages


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
        slice_records: int = SLICE_RECORDS,
        rules: Rules = USUAL,
    ) -> None:
        self._counter = counter
        self._store = store
        self._clock = clock
        self._streak = Streak(max_dead_letters_in_a_row)
        self._bounds = bounds
        self._slice_records = slice_records
        self._cursors: dict[TopicPartition, Cursor] = {}
        self._pile = Pile(rules)
        self._cells = asyncio.Lock()
        """Held by whoever changes cells: two transactions of ours over the same ones would only abort one another."""
        self._rewound: dict[TopicPartition, int] = {}
        self._generation = 0

    def ask_bounds_of(self, bounds: Bounds) -> None:
        """Tell where a log's first offset and end can be asked; from then on each claim checks them."""
        self._bounds = bounds

    def forget(self) -> None:
        """Claim again before the next record."""
        self._generation += 1
        self._cursors.clear()
        self._pile.clear()
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
        """Count a batch, each slice of it in one transaction.

        Raises LogBroken, TooManyDeadLetters, Interrupted and database errors.
        """
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

    async def post(self) -> None:
        """Post the slips that stand, or lay them together, beside the batches that come; to be run now and then.

        Raises database errors.
        """
        async with self._cells:
            slips = self._pile.ripe
            if not slips:
                return
            to_clear = partial(self._pile.cleared, slips)
            large = sum(slip.sums for slip in slips) >= BESIDE_SUMS
            writes = await asyncio.to_thread(to_clear) if large else to_clear()
            point("committer.post")
            try:
                await self._store.post(writes)
            except BaseException as trouble:
                self.forget()  # the next claim tells which of them stand
                if not isinstance(trouble, Interrupted):
                    raise
                log.info("posting interrupted, claiming again", trouble=str(trouble))
            else:
                point("committer.posted")
                self._pile.settle(writes)

    async def _take(self, batch: Batch) -> dict[TopicPartition, int]:
        await self._claim([place for place in batch if place not in self._cursors])
        generation = self._generation
        offsets: dict[TopicPartition, int] = {}
        fresh: dict[TopicPartition, Sequence[Record]] = {}
        for place, records in batch.items():
            cursor = self._cursors[place]
            if records[0].offset > cursor.next and self._rewound.pop(place, None) != cursor.next:
                # Nothing proves that what lies between is a mere hole in the offsets: look again, once.
                self._rewound[place] = offsets[place] = cursor.next
                continue
            offsets[place] = max(cursor.next, records[-1].offset + 1)
            uncounted = [record for record in records if record.offset >= cursor.next]
            if uncounted:
                fresh[place] = uncounted
        cursors = {place: self._cursors[place] for place in fresh}
        slices, planned = sliced(fresh, self._slice_records), None
        while slices:
            # One shard as long as our partitions are the same. Should another have claimed its partition meanwhile, the
            # two transactions conflict and one of them is tried again; no sum goes wrong by it.
            shard = place_name(min(self._cursors or cursors))
            planned = planned or await self._plan(slices[0], shard, None)
            try:
                following = await self._commit_beside(planned, cursors, generation, slices[1:2], shard)
            except CursorMoved as moved:
                log.warning("partitions are counted by another", places=sorted(moved.places))
                standing = await self._store.cursors()
                for place in moved.places:
                    self._cursors.pop(place, None)
                    self._pile.drop(place)
                    offsets[place] = standing[place].next if place in standing else 0
                left = [{place: part[place] for place in part.keys() - moved.places} for part in slices]
                slices, planned = [part for part in left if part], None
            else:
                slices, planned = slices[1:], following
        return offsets

    async def _claim(self, places: Collection[TopicPartition]) -> None:
        if not places:
            return
        generation = self._generation
        point("committer.claim")
        cursors = await self._store.claim(places)
        slips = await self._store.slips(places)
        point("committer.claimed")
        if self._bounds is not None:
            for place, (start, end) in (await self._bounds(places)).items():
                check_cursor(place, cursors[place], start, end)
        if generation != self._generation:
            raise Interrupted("partitions moved while they were claimed")
        self._cursors.update(cursors)
        self._pile.add(slips)

    async def _plan(
        self, part: Mapping[TopicPartition, Sequence[Record]], shard: str, behind: Planned | None
    ) -> Planned:
        """What the slice makes of what is stored, or will be once the slice `behind` which it stands is."""
        records = [record for of_place in part.values() for record in of_place]
        handed = await self._beside(len(records), partial(read_all, self._counter, records))
        point("committer.read")
        keys = wanted(self._counter, handed)
        pages = dict(await self._store.pages(keys))
        if behind is not None:
            for shelf, subjects in keys.items():
                changed = behind.pages.get(shelf, {})
                pages[shelf] = pages.get(shelf, {}) | {name: changed[name] for name in subjects & changed.keys()}
        to_open = waiting(pages)
        parked = await self._store.parked(to_open) if to_open else {}
        plan = Plan(self._counter, pages, parked, self._clock.now())
        outcome = await self._beside(len(records), partial(self._worked, plan, handed, shard))
        return Planned(handed, {place: of_place[-1].offset + 1 for place, of_place in part.items()}, outcome)

    async def _commit_beside(
        self,
        planned: Planned,
        cursors: dict[TopicPartition, Cursor],
        generation: int,
        following: Sequence[Mapping[TopicPartition, Sequence[Record]]],
        shard: str,
    ) -> Planned | None:
        """Commit a slice and plan the `following` one meanwhile; None where there is none, or that one must wait."""
        if not following or any(page.parked for pages in planned.pages.values() for page in pages.values()):
            # What is parked by this slice can be looked up when it is stored.
            await self._commit(planned, cursors, generation, shard)
            return None
        planning = asyncio.create_task(self._plan(following[0], shard, planned))
        try:
            await self._commit(planned, cursors, generation, shard)
        except BaseException:
            planning.cancel()
            await asyncio.gather(planning, return_exceptions=True)
            raise
        return await planning

    async def _commit(
        self, planned: Planned, cursors: dict[TopicPartition, Cursor], generation: int, shard: str
    ) -> None:
        """Commit a slice that leaves a slip, or goes to the cells with all that stand."""
        outcome, records = planned.outcome, len(planned.handed)
        if self._pile.may_lay(outcome, records):
            self._pile.lay(outcome, records, shard)
            await self._write(planned, cursors, generation)
            return
        async with self._cells:
            if self._pile.may_lay(outcome, records):  # the slips that were in the way have just been posted
                self._pile.lay(outcome, records, shard)
            else:
                await self._beside(self._pile.records, partial(self._pile.post, outcome, records, shard))
            await self._write(planned, cursors, generation)

    async def _write(self, planned: Planned, cursors: dict[TopicPartition, Cursor], generation: int) -> None:
        """Write a slice and move `cursors`; what is assumed for later only as long as nothing was forgotten."""
        streak = self._streak.after((_place(item), item.unreadable) for item in planned.handed)
        recorded = planned.outcome.recorded
        moves = {
            place: Move(cursors[place], offset, recorded.get(place, cursors[place].recorded))
            for place, offset in planned.nexts.items()
        }
        point("committer.commit")
        await self._store.commit(moves, planned.outcome.writes)
        point("committer.committed")
        self._streak.goes_on(streak)
        moved = {place: Cursor(move.next, move.epoch, move.recorded) for place, move in moves.items()}
        cursors.update(moved)
        if generation == self._generation:
            self._cursors.update(moved)
            self._pile.settle(planned.outcome.writes)
        self._tell(planned.outcome)

    async def _beside(self, records: int, work: Callable[[], T]) -> T:
        return work() if records < BESIDE_RECORDS else await asyncio.to_thread(work)

    def _worked(self, plan: Plan, handed: Sequence[Handed], shard: str) -> Outcome:
        """The outcome of a slice; one that leaves no slip goes to the cells at once."""
        outcome = plan.work(handed)
        if not self._pile.is_small(outcome, len(handed)):
            outcome.writes.live, outcome.writes.dated = posted([outcome.added], shard)
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


def sliced(
    records: Mapping[TopicPartition, Sequence[Record]], size: int
) -> list[dict[TopicPartition, Sequence[Record]]]:
    """Slices of about so many records; each has its share of every partition, in order."""
    count = max(1, round(sum(map(len, records.values())) / size)) if records else 0
    slices: list[dict[TopicPartition, Sequence[Record]]] = [{} for _ in range(count)]
    for place, of_place in records.items():
        for number, part in enumerate(slices):
            if share := of_place[len(of_place) * number // count : len(of_place) * (number + 1) // count]:
                part[place] = share
    return slices
