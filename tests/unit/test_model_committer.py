"""The batch committer against mishaps in any order: what is stored is the plain fold of what lies behind the cursors.

Also a test of the test: with either guard removed, the cursor's compare-and-set or the subject's revision, the same
machine finds a counterexample.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
import structlog
from aiokafka import TopicPartition
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.plumbing import committer
from shared.plumbing.plan import Plan
from shared.plumbing.projection import Cut, Heard
from shared.plumbing.reading import Letter
from shared.plumbing.store import CellsWanted, Move, Writes
from shared.plumbing.store_memory import MemoryStore
from tests.support.counting_world import PLACES, World
from tests.support.running_tally import Added, Cell, Expected
from tests.support.telling import NOON, Teller

SUBJECTS = ("a", "b", "c", "d")
POISON = (b"", b"{", b"\xff", b"[]", None)
whos = st.integers(0, 1)
subjects = st.sampled_from(SUBJECTS)
wheres = st.sampled_from([f"{when} {step}" for step in ("claim", "pages", "commit") for when in ("before", "after")])
shares = st.sampled_from([(PLACES, ()), ((), PLACES), (PLACES[:1], PLACES[1:]), (PLACES[1:], PLACES[:1])])


def place_of(subject: str) -> TopicPartition:
    return PLACES[SUBJECTS.index(subject) % 2]


class Mishaps(RuleBasedStateMachine):
    """Two processes share two partitions; whatever they do and suffer, the sums stay exact."""

    open_store: Callable[[], MemoryStore] = MemoryStore

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.open_store())
        self.teller = Teller()
        self.untold: list[tuple[str, bytes]] = []
        """Events of the journal that the relay has not sent yet."""
        self.recorded = dict.fromkeys(SUBJECTS, NOON)
        self.writers = [self.world.start(), self.world.start()]
        self.share((PLACES[:1], PLACES[1:]), (True, True))
        self.checked: dict[TopicPartition, int] = {}

    # What comes in.

    @rule(
        subject=subjects,
        days=st.sampled_from([0, 1, 2, 3, 30]),
        amount=st.integers(1, 9),
        colour=st.sampled_from(["red", "blue"]),
        relayed=st.booleans(),
    )
    def record(self, subject: str, days: int, amount: int, colour: str, relayed: bool) -> None:
        """Something happened to a subject, at any time; its recording times never run backwards."""
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

    @rule(who=whos, most=st.integers(1, 6))
    def work(self, who: int, most: int) -> None:
        """Finish what is in hand, then take one poll to its end."""
        self.writers[who].finish()
        self.writers[who].poll(most)
        self.writers[who].finish()

    @rule(who=whos, most=st.integers(1, 6), where=wheres)
    def begin(self, who: int, most: int, where: str) -> None:
        """Take one poll and stand still somewhere on the way."""
        writer = self.writers[who]
        writer.finish()
        writer.poll(most)
        while writer.busy and writer.gate.at != where:
            writer.step()

    @rule(who=whos, steps=st.integers(0, 2))
    def look_back(self, who: int, steps: int) -> None:
        self.writers[who].finish()
        self.writers[who].look_back()
        for _ in range(steps):
            self.go(who)

    @rule(who=whos)
    def go(self, who: int) -> None:
        if self.writers[who].busy:
            self.writers[who].step()

    @rule(who=whos)
    def trouble(self, who: int) -> None:
        """A step fails: before it happened, or its answer is lost (for a commit: outcome unknown)."""
        if self.writers[who].busy:
            self.writers[who].step("trouble")

    @rule(who=whos, share=shares, other_hears=st.booleans())
    def die(self, who: int, share: tuple[tuple[TopicPartition, ...], ...], other_hears: bool) -> None:
        """kill -9 wherever it stands; a new process takes its place."""
        self.writers[who] = self.world.start()
        self.share(share, (who == 0 or other_hears, who == 1 or other_hears))

    @rule(share=shares, hears=st.sampled_from([(True, True), (False, True), (True, False)]))
    def rebalance(self, share: tuple[tuple[TopicPartition, ...], ...], hears: tuple[bool, bool]) -> None:
        """Partitions move; who sleeps does not hear of it and goes on as a zombie when it wakes."""
        self.share(share, hears)

    @rule(who=whos, most=st.integers(1, 6), where=wheres)
    def overtake(self, who: int, most: int, where: str) -> None:
        """One falls asleep on the way, the other gets everything and goes to work; when one wakes, it is a zombie."""
        self.begin(who, most, where)
        self.share((PLACES, ()) if who else ((), PLACES), (who == 1, who == 0))
        self.work(1 - who, most)

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
        """The rest is sent and counted; nothing waits, and a rebuild from zero gives the same to the last sum."""
        try:
            self.relay(len(self.untold), 0)
            self.world.count_all()
            check(self.world, dict(self.world.log.ends))
            rebuilt = World(self.open_store(), self.world.log)
            rebuilt.count_all()
            ours, theirs = self.world.store.contents(), rebuilt.store.contents()
            rebuilt.close()
            assert ours["parked"] == []
            assert ours == {**theirs, "next": ours["next"]}
        finally:
            self.world.close()


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
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
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


def test_without_the_subjects_revision_it_finds_a_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "Plan", TrustingPlan)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Mishaps, settings=TRIES)
