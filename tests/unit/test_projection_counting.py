"""Cells, facts and a reference fold agree, for random histories, cuts, windows and days."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reporting.configuration import definition_in_force, dimensions
from services.reporting.metrics.catalogue import catalogue_of
from services.reporting.metrics.metric import Answer, Window
from services.reporting.numbers import Number, Question, number, weight
from shared.contracts.catalogue import CATALOGUE
from shared.plumbing.cells import merge, without_zeros
from shared.plumbing.clock import ManualClock
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.counting import Counter
from shared.plumbing.projection import Fact, local_day
from shared.plumbing.reading import Reader
from shared.plumbing.store_memory import MemoryStore
from tests.support.counting_world import SHORT
from tests.support.histories import histories
from tests.support.telling import letter

ZONE = ZoneInfo("Asia/Shanghai")
COUNTED = catalogue_of(definition_in_force(None))
CUTS = dimensions().cuts
READER = Reader([entry.event for entry in CATALOGUE.values()], COUNTED.projections, ZONE)
COUNTER = Counter(READER, COUNTED.projections, CUTS, ZONE)
T = TypeVar("T")

WINDOWS = [
    Window(),
    Window("2026-02-01", "2026-03-01"),
    Window("2026-01-01", "2026-04-01"),
    Window(None, "2026-03-01"),
    Window("2026-01-10", "2026-03-05"),
]
CUT_ASKED: list[tuple[tuple[str, ...], dict[str, str]]] = [
    ((), {}),
    (("region",), {}),
    ((), {"source": "shop"}),
    (("region",), {"source": "desk"}),
    (("priority",), {}),
    (("colour",), {}),
    (("question",), {}),
]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def committer(store: MemoryStore) -> BatchCommitter:
    return BatchCommitter(
        COUNTER, store, ManualClock(datetime(2026, 6, 1, tzinfo=UTC)), max_dead_letters_in_a_row=100, rules=SHORT
    )


def logs(told: list[tuple[TopicPartition, dict[str, Any]]]) -> dict[TopicPartition, list[Any]]:
    """What stands on each partition."""
    found: dict[TopicPartition, list[Any]] = {}
    for place, event in told:
        found.setdefault(place, []).append(letter(place, len(found[place]), event))
    return found


async def count_all(store: MemoryStore, told: list[tuple[TopicPartition, dict[str, Any]]], size: int) -> None:
    """Hand everything over in batches of at most `size` records a partition."""
    counting = committer(store)
    found = logs(told)
    reached = dict.fromkeys(found, 0)
    while any(reached[place] < len(log) for place, log in found.items()):
        batch = {
            place: log[reached[place] : reached[place] + size]
            for place, log in found.items()
            if reached[place] < len(log)
        }
        reached.update(await counting.take(batch))


def reference(told: list[tuple[TopicPartition, dict[str, Any]]], as_of: str | None) -> dict[str, list[Fact]]:
    """Facts by folding each subject's events up to the day, with nothing but the folds."""
    facts: dict[str, dict[str, Fact | None]] = {projection.name: {} for projection in COUNTED.projections}
    for _, event in told:
        heard = letter(TopicPartition("t", 0), 0, event)
        read = READER.read(heard.key, heard.value)
        if read.said is None or (as_of is not None and local_day(read.recorded, ZONE) > as_of):
            continue
        projection = COUNTER.by_kind[read.kind]
        known = facts[projection.name]
        known[read.subject] = projection.fold(known.get(read.subject), read)
    return {name: [fact for fact in known.values() if fact is not None] for name, known in facts.items()}


async def asked(store: MemoryStore, question: Question) -> Number:
    projection = next(known for known in COUNTED.projections if known.name == question.metric.projection)
    async with store.moment() as moment:
        return await number(moment, projection, CUTS, question)


def plain(answer: Answer) -> dict[str, Any]:
    """An answer without what only one of the two ways can know exactly."""
    more = {key: value for key, value in answer.more.items() if key != "p90"}
    return {**vars(answer), "more": more}


def same(cells: Number, facts: Number, *, estimated: bool) -> None:
    pairs = [(cells.total, facts.total)]
    assert [group.dims for group in cells.groups] == [group.dims for group in facts.groups]
    pairs += [(ours.answer, theirs.answer) for ours, theirs in zip(cells.groups, facts.groups, strict=True)]
    for one, other in pairs:
        left, right = plain(one), plain(other)
        if estimated:
            value, exact = left.pop("value"), right.pop("value")
            assert value == (exact if exact is None else pytest.approx(exact, rel=0.02, abs=1 / 3600))
        assert left == right


@settings(max_examples=150, report_multiple_bugs=False)
@given(
    told=histories(),
    metric=st.sampled_from(sorted(COUNTED.metrics)),
    window=st.sampled_from(WINDOWS),
    cut=st.sampled_from(CUT_ASKED),
    as_of=st.none() | st.dates(date(2026, 11, 7), date(2027, 4, 30)).map(date.isoformat),
    size=st.integers(1, 7),
)
def test_cells_and_facts_give_the_same_number_as_of_any_day(
    told: list[tuple[TopicPartition, dict[str, Any]]],
    metric: str,
    window: Window,
    cut: tuple[tuple[str, ...], dict[str, str]],
    as_of: str | None,
    size: int,
) -> None:
    store = MemoryStore()
    run(count_all(store, told, size))
    assert store.quarantined == {}
    question = Question(COUNTED.metrics[metric], window, as_of, cut[0], cut[1])
    ready = run(asked(store, question))
    computed = run(asked(store, Question(question.metric, window, as_of, cut[0], cut[1], exact=True)))
    if not ready.total.reason or ready.total.n:
        assert computed.source == "facts"
    same(ready, computed, estimated=metric in ("resolution_time", "first_response_time"))
    expected: dict[str, int] = {}
    for fact in reference(told, as_of)[question.metric.projection]:
        for name, amount in weight(question, fact).items():
            expected[name] = expected.get(name, 0) + amount
    if question.metric.refuse(window) is None:
        assert plain(question.metric.answer(expected, question.narrowing)) == plain(computed.total)


@settings(max_examples=60, report_multiple_bugs=False)
@given(told=histories(), sizes=st.tuples(st.integers(1, 7), st.integers(1, 7)))
def test_the_batches_make_no_difference(
    told: list[tuple[TopicPartition, dict[str, Any]]], sizes: tuple[int, int]
) -> None:
    stores = MemoryStore(), MemoryStore()
    for store, size in zip(stores, sizes, strict=True):
        run(count_all(store, told, size))
    assert stores[0].contents() == stores[1].contents()


@settings(max_examples=30, report_multiple_bugs=False)
@given(told=histories())
def test_who_counts_other_partitions_writes_other_cells(told: list[tuple[TopicPartition, dict[str, Any]]]) -> None:
    """Two processes never wait for one another; together they count what one alone counts."""
    alone, *halves = MemoryStore(), MemoryStore(), MemoryStore()
    run(count_all(alone, told, 3))
    for half, store in enumerate(halves):
        run(count_all(store, [item for item in told if item[0].partition % 2 == half], 3))
    for cells in ("live", "dated"):
        ours, theirs = (getattr(store, cells) for store in halves)
        assert not ours.keys() & theirs.keys()
        together: dict[str, dict[str, int]] = {}
        for store in halves:
            for key, sums in store.contents()[cells].items():
                merge(together, key, sums)
        assert without_zeros(together) == alone.contents()[cells]


@settings(max_examples=60, report_multiple_bugs=False)
@given(told=histories(), data=st.data())
def test_repeats_and_holdups_make_no_difference(
    told: list[tuple[TopicPartition, dict[str, Any]]], data: st.DataObject
) -> None:
    """The same events, each up to three times and in any order: later revisions wait for the earlier ones."""
    repeated = [item for item in told for _ in range(data.draw(st.integers(1, 3)))]
    shuffled = data.draw(st.permutations(repeated))
    orderly, disorderly = MemoryStore(), MemoryStore()
    run(count_all(orderly, told, 5))
    run(count_all(disorderly, list(shuffled), 5))
    ours, theirs = orderly.contents(), disorderly.contents()
    for same_part in ("pages", "live", "dated", "parked", "quarantined"):
        assert ours[same_part] == theirs[same_part]
