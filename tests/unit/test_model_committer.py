"""The batch committer against mishaps in any order: what is stored is the plain fold of what lies behind the cursors.

A hand-over is counted in several slices, the next one planned while one commits, so every mishap also comes between
two slices and beside a commit. Counting anew goes on beside it all, and may take over at any time.

Also a test of the test: with either guard removed, the cursor's compare-and-set or the subject's revision, or with a
slice planned beside a commit from what is stored alone, the same machine finds a counterexample.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
import structlog
from aiokafka import TopicPartition
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.plumbing import committer
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.listening import Record
from shared.plumbing.plan import Plan
from shared.plumbing.projection import Cut, Heard
from shared.plumbing.reading import Letter
from shared.plumbing.slices import Planned
from shared.plumbing.store import CellsWanted, Move, Writes
from shared.plumbing.store_memory import MemoryStore
from tests.support.counting_world import PLACES, World
from tests.support.running_tally import Added, Cell, Expected
from tests.support.telling import NOON, Teller

SUBJECTS = ("a", "b", "c", "d")
POISON = (b"", b"{", b"\xff", b"[]", None)
whos = st.integers(0, 1)
subjects = st.sampled_from(SUBJECTS)
STEPS = ("claim", "slips", "parked", "cursors", *("pages",) * 3, *("commit",) * 5)
"""Where it matters most to stand still comes most often."""
wheres = st.sampled_from([f"{when} {step}" for step in STEPS for when in ("before", "after")])
times = st.sampled_from([1, 1, 1, 2, 3])
most = st.integers(1, 8)
slice_sizes = st.sampled_from([1, 2, 5])
shares = st.sampled_from([(PLACES, ()), ((), PLACES), (PLACES[:1], PLACES[1:]), (PLACES[1:], PLACES[:1])])


def place_of(subject: str) -> TopicPartition:
    return PLACES[SUBJECTS.index(subject) % 2]


class Mishaps(RuleBasedStateMachine):
    """Two processes share two partitions; whatever they do and suffer, the sums stay exact."""

    open_store: Callable[[], MemoryStore] = MemoryStore
    committer: type[BatchCommitter] = BatchCommitter

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.open_store(), committer=self.committer)
        self.anew: World | None = None
        """Where all is counted anew, from the beginning of the same log."""
        self.teller = Teller()
        self.untold: list[tuple[str, bytes]] = []
        """Events of the journal that the relay has not sent yet."""
        self.recorded = dict.fromkeys(SUBJECTS, NOON)
        self.writers = [self.world.start(2), self.world.start(5)]
        self.share((PLACES[:1], PLACES[1:]), (True, True))
        self.checked: dict[TopicPartition, int] = {}

    # What comes in.

    @rule(
        subject=subjects,
        days=st.sampled_from([0, 1, 2, 3, 30]),
        amounts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
        colour=st.sampled_from(["red", "blue"]),
        relayed=st.booleans(),
    )
    def record(self, subject: str, days: int, amounts: list[int], colour: str, relayed: bool) -> None:
        """Something happened to a subject, at any time; its recording times never run backwards."""
        for amount in amounts:
            self.recorded[subject] += timedelta(days=days)
            event = self.teller.tell(
                subject,
                Added(amount=amount, colour=colour),
                time=NOON + timedelta(days=amount - 5),
                recorded=self.recorded[subject],
            )
            self.untold.append((subject, orjson.dumps(event)))
            if relayed:
                self.relay(1, len(self.untold))

    def something_everywhere(self) -> None:
        for subject in SUBJECTS[: len(PLACES)]:
            self.record(subject, 0, [1], "red", relayed=True)

    @rule(count=st.integers(1, 5), ahead=st.integers(0, 3))
    def relay(self, count: int, ahead: int) -> None:
        """The next events are sent; `ahead` leaves so many out, which come later: a gap."""
        for _ in range(min(count, len(self.untold))):
            subject, value = self.untold.pop(min(ahead, len(self.untold) - 1))
            self.world.log.append(place_of(subject), subject.encode(), value)

    @rule(place=st.sampled_from(PLACES), which=st.integers(0, 10_000), count=st.integers(1, 4))
    def repeat(self, place: TopicPartition, which: int, count: int) -> None:
        """A relay sends again what stands on the topic already: the same events at new offsets."""
        standing = self.world.log.records[place]
        for record in standing[which % len(standing) :][:count] if standing else []:
            self.world.log.append(place, record.key, record.value)

    @rule(place=st.sampled_from(PLACES), value=st.sampled_from(POISON))
    def poison(self, place: TopicPartition, value: bytes | None) -> None:
        self.world.log.append(place, b"k", value)

    @rule(subject=subjects)
    def fork(self, subject: str) -> None:
        """Another event claims the subject's last revision."""
        if revision := self.teller.revisions[subject]:
            fork = self.teller.tell(subject, Added(amount=100, colour="red"), revision=revision, event="fork")
            self.world.log.append(place_of(subject), subject.encode(), orjson.dumps(fork))

    @rule(place=st.sampled_from(PLACES))
    def hole(self, place: TopicPartition) -> None:
        self.world.log.leave_hole(place)

    # What the processes do and suffer.

    @rule(who=whos, most=most)
    def work(self, who: int, most: int) -> None:
        """Finish what is in hand, then take one poll to its end."""
        self.writers[who].finish()
        self.writers[who].poll(most)
        self.writers[who].finish()

    @rule(who=whos, most=most, where=wheres, time=times, beside=st.booleans(), fails=st.booleans())
    def begin(self, who: int, most: int, where: str, time: int, beside: bool, fails: bool) -> None:
        """Take one poll and stand still somewhere on the way, in the first slice or a later one, or fail there.

        `beside`: what goes on at the same time comes as far as it can.
        """
        writer = self.writers[who]
        writer.finish()
        writer.poll(most)
        while writer.busy:
            if where in writer.gate.stands:
                time -= 1
                if not time:
                    break
                writer.step(at=where)
            else:
                writer.step()
        while beside and (others := [at for at in writer.gate.stands if at != where]):
            writer.step(at=others[0])
        if fails and writer.busy:
            writer.step("trouble", at=where)

    @rule(who=whos, steps=st.integers(0, 2))
    def look_back(self, who: int, steps: int) -> None:
        self.writers[who].finish()
        self.writers[who].look_back()
        for _ in range(steps):
            self.go(who)

    @rule(who=whos, most=most, where=wheres, time=times, ways=st.lists(st.integers(0, 2), max_size=4))
    def post(self, who: int, most: int, where: str, time: int, ways: list[int]) -> None:
        """One lays a slip, takes more, stands still on the way and posts beside that; then either goes on."""
        self.writers[who].finish()
        self.something_everywhere()
        self.work(who, 1)
        self.something_everywhere()
        self.begin(who, most, where, time, beside=False, fails=False)
        self.writers[who].post()
        for which in ways:
            self.go(who, which)

    @rule(who=whos, which=st.integers(0, 2))
    def go(self, who: int, which: int = 0) -> None:
        if stands := self.writers[who].gate.stands:
            self.writers[who].step(at=stands[which % len(stands)])

    @rule(who=whos, which=st.integers(0, 2))
    def trouble(self, who: int, which: int) -> None:
        """A step fails: before it happened, or its answer is lost (for a commit: outcome unknown)."""
        if stands := self.writers[who].gate.stands:
            self.writers[who].step("trouble", at=stands[which % len(stands)])

    @rule(who=whos, slices=slice_sizes, share=shares, other_hears=st.booleans())
    def die(self, who: int, slices: int, share: tuple[tuple[TopicPartition, ...], ...], other_hears: bool) -> None:
        """kill -9 wherever it stands; a new process takes its place."""
        self.writers[who] = self.world.start(slices)
        self.share(share, (who == 0 or other_hears, who == 1 or other_hears))

    @rule(share=shares, hears=st.sampled_from([(True, True), (False, True), (True, False)]))
    def rebalance(self, share: tuple[tuple[TopicPartition, ...], ...], hears: tuple[bool, bool]) -> None:
        """Partitions move; who sleeps does not hear of it and goes on as a zombie when it wakes."""
        self.share(share, hears)

    @rule(who=whos, most=most, where=wheres, time=times, beside=st.booleans(), wakes=st.booleans())
    def overtake(self, who: int, most: int, where: str, time: int, beside: bool, wakes: bool) -> None:
        """One falls asleep on the way, the other gets everything and goes to work; when one wakes, it is a zombie."""
        self.begin(who, most, where, time, beside, fails=False)
        self.share((PLACES, ()) if who else ((), PLACES), (who == 1, who == 0))
        self.work(1 - who, most)
        if wakes:
            self.writers[who].finish()

    @rule(who=whos)
    def give_up(self, who: int) -> None:
        """Asked to stop: the batch in hand may be given up, and a poll may come after it all the same."""
        self.writers[who].hearing.stop()

    @rule(place=st.sampled_from(PLACES), offset=st.integers(0, 200))
    def reset(self, place: TopicPartition, offset: int) -> None:
        """An operator sets the committed offset anywhere, back or forward."""
        self.world.group.committed[place] = min(offset, self.world.log.ends[place])

    @rule()
    def delete_offsets(self) -> None:
        self.world.group.committed.clear()

    # Counting anew, beside it.

    @rule(most=most, slices=slice_sizes, afresh=st.booleans())
    def count_anew(self, most: int, slices: int, afresh: bool) -> None:
        """One poll more; `afresh`: what was counted anew so far is given up as it stands."""
        if self.anew is None or afresh:
            self.begin_anew(slices)
        assert self.anew is not None
        (builder,) = self.anew.processes
        builder.poll(most)
        builder.finish()

    def begin_anew(self, slices: int) -> None:
        if self.anew is not None:
            self.anew.close()
        self.anew = World(self.open_store(), self.world.log, self.committer)
        self.anew.start(slices).rejoin(PLACES)

    @rule()
    def take_over(self) -> None:
        """What is counted anew catches up with the log and answers from now on, whatever the others are about."""
        if self.anew is not None:
            self.anew.count_all()
            self.world.swap(self.anew.store)
            self.anew.close()
            self.anew = None

    def share(self, share: tuple[tuple[TopicPartition, ...], ...], hears: tuple[bool, bool]) -> None:
        self.world.group.generation += 1
        for writer, places, hears_of_it in zip(self.writers, share, hears, strict=True):
            if hears_of_it:
                writer.rejoin(places)

    # What must hold.

    @invariant()
    def exact_behind_the_cursors(self) -> None:
        cursors = {place: cursor.next for place, cursor in self.world.run(self.world.store.cursors()).items()}
        if cursors != self.checked:
            self.checked = cursors
            check(self.world, cursors)

    def teardown(self) -> None:
        """The rest is sent and counted; nothing waits, and counting anew comes to the same, to the last sum."""
        try:
            self.relay(len(self.untold), 0)
            self.world.count_all()
            check(self.world, dict(self.world.log.ends))
            if self.anew is None:
                self.begin_anew(100)
            assert self.anew is not None
            self.anew.count_all()
            ours, theirs = self.world.store.contents(), self.anew.store.contents()
            assert ours["parked"] == []
            assert ours == {**theirs, "next": ours["next"]}
        finally:
            self.world.close()
            if self.anew is not None:
                self.anew.close()


def check(world: World, cursors: Mapping[TopicPartition, int]) -> None:
    """The store holds what the plain fold of the records behind the cursors gives, now and as of every recorded day."""
    expected = Expected()
    for place in PLACES:
        for record in world.log.before(place, cursors.get(place, 0)):
            expected.hear(record)
    store = world.store
    assert set(store.quarantined) == expected.quarantined
    shelf = store.shelves.get("tallies", {})
    assert {subject: page.revision for subject, page in shelf.items()} == {
        subject: tally.revision for subject, tally in expected.tallies.items()
    }
    assert {subject: page.parked for subject, page in shelf.items()} == {
        subject: sorted(tally.waiting) for subject, tally in expected.tallies.items()
    }
    for as_of in (None, "0000-00-00", *expected.recorded_days()):
        assert world.run(facts(store, as_of)) == expected.facts(as_of)
        assert world.run(cells(store, as_of)) == expected.cells(as_of)


async def facts(store: MemoryStore, as_of: str | None) -> dict[str, object]:
    async with store.moment() as moment:
        return {subject: fact async for subject, fact in moment.facts("tallies", "", as_of)}


EVERY_DAY = [f"{month:02}{day:02}" for month in range(1, 13) for day in range(1, 32)]


async def cells(store: MemoryStore, as_of: str | None) -> dict[Cell, int]:
    """Live sums, less those recorded after the day."""
    sums: dict[Cell, int] = {}
    cuts: list[Cut] = [(), ("colour",)]
    async with store.moment() as moment:
        wanted = CellsWanted("tallies", "amounts", cuts, "0000-00", "9999-99", EVERY_DAY)
        for cell, sign in await moment.cells(wanted, as_of):
            for day, amounts in cell.days.items():
                for name, amount in amounts.items():
                    key = ("".join(cell.values), day, name)
                    sums[key] = sums.get(key, 0) + sign * amount
    return {cell: amount for cell, amount in sums.items() if amount}


CHECKS = settings(
    max_examples=120,
    stateful_step_count=40,
    report_multiple_bugs=False,
)
TRIES = settings(CHECKS, max_examples=400, phases=[Phase.generate], database=None, derandomize=True)
"""Enough to find a missing guard; the counterexample need not be small."""


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Thousands of mishaps are reported in full otherwise, with pictures of every frame."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def test_exact_under_mishaps_in_any_order() -> None:
    run_state_machine_as_test(Mishaps, settings=CHECKS)


class ForgetfulStore(MemoryStore):
    """Without the first guard: a commit lands whoever moved the cursor in between."""

    async def commit(self, moves: Mapping[TopicPartition, Move], writes: Writes) -> None:
        for pages in writes.new.values():
            for page in pages:
                self.shelves.get("tallies", {}).pop(page.subject, None)
        blind = {place: replace(move, was=self._cursors[place]) for place, move in moves.items()}
        await super().commit(blind, writes)


class Blind(Mishaps):
    open_store = ForgetfulStore


def test_without_the_cursors_compare_and_set_it_finds_a_counterexample() -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Blind, settings=TRIES)


class TrustingPlan(Plan):
    """Without the second guard: every record that can be read is folded."""

    def _hear(self, record: Letter, heard: Heard) -> None:
        self._apply(record, heard, self._opened(record, heard))


class HastyCommitter(BatchCommitter):
    """Plans a slice beside a commit from what is stored, not on top of what is being committed."""

    async def _plan(
        self, part: Mapping[TopicPartition, Sequence[Record]], shard: str, behind: Planned | None
    ) -> Planned:
        return await super()._plan(part, shard, None)


class Hasty(Mishaps):
    committer = HastyCommitter


def test_with_slices_planned_from_what_is_stored_alone_it_finds_a_counterexample() -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Hasty, settings=TRIES)


def test_without_the_subjects_revision_it_finds_a_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "Plan", TrustingPlan)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Mishaps, settings=TRIES)
