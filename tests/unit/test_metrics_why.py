"""What the events between two days add is the difference of the two days' numbers."""

from datetime import date
from itertools import pairwise
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reporting.metrics.metric import Tally, Window
from services.reporting.numbers import Question, number, weight
from services.reporting.reasons import Reason, reasons
from shared.plumbing.history import differences, steps
from shared.plumbing.store_memory import MemoryStore
from tests.support.histories import histories
from tests.unit.test_projection_counting import COUNTED, CUT_ASKED, CUTS, WINDOWS, count_all, run

DAYS = st.dates(date(2026, 11, 7), date(2027, 4, 30)).map(date.isoformat)


async def told_why(store: MemoryStore, earlier: Question, later: Question) -> tuple[Any, Any, list[Reason]]:
    projection = next(known for known in COUNTED.projections if known.name == later.metric.projection)
    assert earlier.as_of is not None
    async with store.moment() as moment:
        before = await number(moment, projection, CUTS, earlier)
        after = await number(moment, projection, CUTS, later)
        found = [reason async for reason in reasons(moment, later, earlier.as_of, later.as_of, "")]
    return before, after, found


async def sums_of(store: MemoryStore, question: Question) -> Tally:
    sums: Tally = {}
    async with store.moment() as moment:
        async for _, fact in moment.facts(question.metric.projection, "", question.as_of):
            for name, amount in weight(question, fact).items():
                sums[name] = sums.get(name, 0) + amount
    return sums


@settings(max_examples=150, report_multiple_bugs=False)
@given(
    told=histories(),
    metric=st.sampled_from(sorted(COUNTED.metrics)),
    window=st.sampled_from(WINDOWS),
    cut=st.sampled_from(CUT_ASKED),
    since=DAYS,
    until=st.none() | DAYS,
)
def test_the_listed_events_add_up_to_the_difference(
    told: list[tuple[TopicPartition, dict[str, Any]]],
    metric: str,
    window: Window,
    cut: tuple[tuple[str, ...], dict[str, str]],
    since: str,
    until: str | None,
) -> None:
    asked = COUNTED.metrics[metric]
    if asked.refuse(window) is not None or (until is not None and until <= since):
        return
    store = MemoryStore()
    run(count_all(store, told, 5))
    earlier, later = (Question(asked, window, day, *cut) for day in (since, until))
    before, after, found = run(told_why(store, earlier, later))
    causes = [cause for reason in found for cause in reason.causes]
    difference = after.total.n - before.total.n
    assert sum(cause.total.n for cause in causes) == sum(reason.total.n for reason in found) == difference
    if after.total.count is not None and before.total.count is not None:
        assert sum(cause.total.count or 0 for cause in causes) == after.total.count - before.total.count
    adds: Tally = {}
    for cause in causes:
        for name, amount in cause.total.adds.items():
            adds[name] = adds.get(name, 0) + amount
    was, now = run(sums_of(store, earlier)), run(sums_of(store, later))
    assert {name: amount for name, amount in adds.items() if amount} == {
        name: difference for name in {*was, *now} if (difference := now.get(name, 0) - was.get(name, 0))
    }
    for group in {tuple(sorted(group.dims.items())) for group in (*before.groups, *after.groups)}:
        then = sum(known.answer.n for known in before.groups if tuple(sorted(known.dims.items())) == group)
        today = sum(known.answer.n for known in after.groups if tuple(sorted(known.dims.items())) == group)
        listed = [part for cause in causes for part in cause.groups if tuple(sorted(part.dims.items())) == group]
        assert sum(part.n for part in listed) == today - then


@settings(max_examples=60)
@given(told=histories())
def test_a_history_leads_from_nothing_to_the_fact(told: list[tuple[TopicPartition, dict[str, Any]]]) -> None:
    store = MemoryStore()
    run(count_all(store, told, 5))
    for projection in COUNTED.projections:
        for subject, page in store.shelves.get(projection.name, {}).items():
            lived = steps(page, store.changes.get((projection.name, subject), []))
            if page.fact is None:
                assert not lived
                continue
            assert lived[0].before is None
            assert lived[-1].after == page.fact
            ids = [event["id"] for _, event in told if event["subject"] == subject]
            assert [step.event for step in lived] == [name for name in ids if name in {step.event for step in lived}]
            for one, next_one in pairwise(lived):
                assert one.after == next_one.before
            assert all(differences(step.before, step.after) for step in lived)
