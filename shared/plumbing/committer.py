"""The batch committer: exact aggregates from at-least-once delivery (ARCHITECTURE §5, STREAMING §4.3 and §4.4).

Invariant, per partition p with log L: what is stored = F(L[0 .. cursor)), and the cursor moves in the transaction
that writes the rest. Where Kafka lets us begin is only a hint: what lies behind the cursor is dropped, and when the
first record lies beyond it, the partition is read again from the cursor.

A large hand-over is committed in slices, one after another, and while one commits, the next is read and planned on top
of it, be it of the next hand-over. Nothing of that is kept when the commit fails. Such work runs in a thread, so that
the loop goes on: with the commit, and with whoever asks for numbers.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar

from aiokafka import TopicPartition

from shared.plumbing.clock import Clock
from shared.plumbing.counting import Counter, Handed, first_heard, read_all, waiting, wanted
from shared.plumbing.crashing import point
from shared.plumbing.listening import Batch, Record
from shared.plumbing.logs import check_cursor
from shared.plumbing.pile import Pile
from shared.plumbing.plan import Outcome, Plan
from shared.plumbing.slices import Hand, Planned, Slice, first_lacking, sliced
from shared.plumbing.slips import USUAL, Rules, posted
from shared.plumbing.store import Cursor, CursorMoved, Interrupted, Move, NotNew, Store
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
        self._wary = False
        """Whether every page is looked for, since one that was taken for new stood already."""
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
        await self._check_logs(cursors)
        return {place: cursor.next for place, cursor in cursors.items()}

    async def take(self, batch: Batch) -> dict[TopicPartition, int]:
        """Count a batch, each slice of it in one transaction.

        Raises LogBroken, TooManyDeadLetters, Interrupted and database errors.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._take(_alone(batch))
            except Interrupted as trouble:
                self.forget()
                if attempt == ATTEMPTS:
                    raise
                log.info("commit interrupted, claiming again", trouble=str(trouble))
            except BaseException:
                self.forget()
                raise
        raise AssertionError("unreachable")

    async def take_all(self, batches: AsyncIterable[Batch]) -> dict[TopicPartition, int]:
        """Count batch after batch, and plan the first slice of each while the last one before it is committed.

        Returns as `take` does, and before `batches` are through where a partition must be read again. Raises what
        `take` raises; then one has to begin anew from where `begins` says.
        """
        try:
            return await self._take(batches)
        except BaseException:
            self.forget()
            raise

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

    async def _take(self, batches: AsyncIterable[Batch]) -> dict[TopicPartition, int]:
        hand = Hand()
        async for batch in batches:
            await self._add(batch, hand)
            while len(hand.slices) > 1:
                await self._advance(hand)
            if hand.broken_off:
                break
        while hand.slices:
            await self._advance(hand)
        return hand.offsets

    async def _add(self, batch: Batch, hand: Hand) -> None:
        """Have more in hand: what of a batch is not counted yet."""
        await self._claim([place for place in batch if place not in self._cursors])
        if hand.generation not in (None, self._generation):
            raise Interrupted("partitions moved while they were counted")
        hand.generation = self._generation
        fresh: dict[TopicPartition, Sequence[Record]] = {}
        holes: dict[TopicPartition, Cursor] = {}
        for place, records in batch.items():
            cursor = self._cursors[place]
            reached = hand.offsets.get(place, cursor.next)
            if records[0].offset > reached and self._rewound.pop(place, None) != reached:
                # Nothing proves that what lies between is a mere hole in the offsets: look again, once.
                self._rewound[place] = hand.offsets[place] = reached
                hand.broken_off = True
                continue
            hand.offsets[place] = max(reached, records[-1].offset + 1)
            uncounted = [record for record in records if record.offset >= reached]
            if uncounted:
                fresh[place] = uncounted
                hand.cursors.setdefault(place, cursor)
            lacking = first_lacking(reached, uncounted)
            if lacking is not None:
                holes[place] = replace(cursor, next=lacking)
        await self._check_logs(holes)  # what retention has taken is no hole, however often one looks
        hand.slices += sliced(fresh, self._slice_records)

    async def _advance(self, hand: Hand) -> None:
        """Commit the first slice, and plan the second meanwhile."""
        # One shard as long as our partitions are the same. Should another have claimed its partition meanwhile, the
        # two transactions conflict and one of them is tried again; no sum goes wrong by it.
        shard = place_name(min(self._cursors or hand.cursors))
        planned = hand.planned or await self._plan(hand.slices[0], shard, None)
        try:
            hand.planned = await self._commit_beside(planned, hand.cursors, hand.generation, hand.slices[1:2], shard)
        except NotNew:
            hand.planned, self._wary = None, True
        except CursorMoved as moved:
            log.warning("partitions are counted by another", places=sorted(moved.places))
            standing = await self._store.cursors()
            for place in moved.places:
                self._cursors.pop(place, None)
                self._pile.drop(place)
                hand.offsets[place] = standing[place].next if place in standing else 0
            left = [{place: part[place] for place in part.keys() - moved.places} for part in hand.slices]
            hand.slices, hand.planned, hand.broken_off = [part for part in left if part], None, True
        else:
            self._wary = False
            del hand.slices[0]

    async def _claim(self, places: Collection[TopicPartition]) -> None:
        if not places:
            return
        generation = self._generation
        point("committer.claim")
        cursors = await self._store.claim(places)
        slips = await self._store.slips(places)
        point("committer.claimed")
        await self._check_logs(cursors)
        if generation != self._generation:
            raise Interrupted("partitions moved while they were claimed")
        self._cursors.update(cursors)
        self._pile.add(slips)

    async def _check_logs(self, cursors: Mapping[TopicPartition, Cursor]) -> None:
        """Raises LogBroken where a log does not hold all that is not counted yet."""
        if self._bounds is not None and cursors:
            for place, (start, end) in (await self._bounds(cursors.keys())).items():
                check_cursor(place, cursors[place], start, end)

    async def _plan(self, part: Slice, shard: str, behind: Planned | None) -> Planned:
        """What the slice makes of what is stored, or will be once the slice `behind` which it stands is."""
        records = [record for of_place in part.values() for record in of_place]
        handed = await self._beside(len(records), partial(read_all, self._counter, records))
        point("committer.read")
        new = {} if self._wary else first_heard(self._counter, handed)
        outcome = await self._outcome(handed, new, shard, behind)
        if new and not _are_new(new, outcome):  # one of them is not written: only its page can tell why
            outcome = await self._outcome(handed, {}, shard, behind)
        return Planned(handed, {place: of_place[-1].offset + 1 for place, of_place in part.items()}, outcome)

    async def _outcome(
        self, handed: Sequence[Handed], new: Mapping[str, set[str]], shard: str, behind: Planned | None
    ) -> Outcome:
        """What comes of it when these subjects are `new`, without a look."""
        keys = wanted(self._counter, handed)
        pages = dict(await self._store.pages({shelf: keys[shelf] - new.get(shelf, set()) for shelf in keys}))
        if behind is not None:
            for shelf, subjects in keys.items():
                changed = behind.pages.get(shelf, {})
                pages[shelf] = pages.get(shelf, {}) | {name: changed[name] for name in subjects & changed.keys()}
        to_open = waiting(pages)
        parked = await self._store.parked(to_open) if to_open else {}
        plan = Plan(self._counter, pages, parked, self._clock.now())
        return await self._beside(len(handed), partial(self._worked, plan, handed, shard))

    async def _commit_beside(
        self,
        planned: Planned,
        cursors: dict[TopicPartition, Cursor],
        generation: int | None,
        following: Sequence[Slice],
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
        self, planned: Planned, cursors: dict[TopicPartition, Cursor], generation: int | None, shard: str
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

    async def _write(self, planned: Planned, cursors: dict[TopicPartition, Cursor], generation: int | None) -> None:
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


async def _alone(batch: Batch) -> AsyncIterator[Batch]:
    yield batch


def _are_new(subjects: Mapping[str, set[str]], outcome: Outcome) -> bool:
    """Whether all of them get pages: then no other can stand there already without a commit that fails."""
    new = outcome.writes.new
    return all(known <= {page.subject for page in new.get(shelf, ())} for shelf, known in subjects.items())


def _place(item: Handed) -> str:
    """Only of those that are told about: naming each record took as long as folding it."""
    return f"{item.record.topic}/{item.record.partition}/{item.record.offset}" if item.unreadable is not None else ""
