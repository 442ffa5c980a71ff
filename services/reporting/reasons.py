"""Why a number changed between two days: the facts that entered, left or changed, and the events that did it.

What an event adds is the difference of what its fact weighs after and before it. Weights are added over facts, so what
all events recorded between the days add is exactly the difference of the two numbers' counts.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.reporting.metrics.metric import Tally
from services.reporting.numbers import Question, weights
from shared.plumbing.cells import cut_of
from shared.plumbing.history import Step, steps
from shared.plumbing.projection import Cut, Fact, Values
from shared.plumbing.store import Moment


@dataclass(frozen=True)
class Addition:
    """What is added to one group: the named sums, and what of them the formula counts (`count` of `n`)."""

    dims: dict[str, str]
    adds: Tally
    n: int
    count: int | None


@dataclass(frozen=True)
class Cause:
    """One event, and what it added to the total and to each group."""

    step: Step
    total: Addition
    groups: list[Addition]


@dataclass(frozen=True)
class Reason:
    """One fact whose weight in the number moved between the days."""

    subject: str
    kind: Literal["entered", "left", "changed"]
    total: Addition
    causes: list[Cause]


async def reasons(
    moment: Moment, question: Question, since: str, until: str | None, after: str
) -> AsyncIterator[Reason]:
    """By ascending subject beyond `after`: all that was recorded after `since`, through `until` (None: till now)."""
    async for page, changes in moment.touched(question.metric.projection, after, since, until):
        reason = reason_of(question, page.subject, steps(page, changes, since), until)
        if reason is not None:
            yield reason


def reason_of(question: Question, subject: str, lived: Sequence[Step], until: str | None) -> Reason | None:
    """What a fact's steps did to the number; None when its part in it was never touched."""
    between = [step for step in lived if until is None or step.day <= until]
    causes = [cause for step in between if (cause := _cause(question, step)) is not None]
    if not causes:
        return None
    cut = cut_of(question.filters)
    before, after = _weighed(question, cut, between[0].before), _weighed(question, cut, between[-1].after)
    total = _addition(question, {}, before, after)
    was, now = _counts(question, before), _counts(question, after)
    return Reason(subject, "changed" if was == now else "entered" if now else "left", total, causes)


def _cause(question: Question, step: Step) -> Cause | None:
    cut = cut_of(question.filters)
    total = _addition(question, {}, _weighed(question, cut, step.before), _weighed(question, cut, step.after))
    groups: list[Addition] = []
    if question.by:
        groups = _group_additions(question, cut_of((*question.filters, *question.by)), step)
    moved = bool(total.n or total.count or (total.adds and not question.narrowing))
    return Cause(step, total, groups) if moved or groups else None


def _group_additions(question: Question, cut: Cut, step: Step) -> list[Addition]:
    before, after = _by_group(question, cut, step.before), _by_group(question, cut, step.after)
    additions = []
    for values in sorted({*before, *after}):
        dims = dict(zip(cut, values, strict=True))
        shown = {name: dims[name] for name in question.by}
        addition = _addition(question, shown, before.get(values, {}), after.get(values, {}))
        if addition.n or addition.count or (addition.adds and not question.narrowing):
            additions.append(addition)
    return additions


def _by_group(question: Question, cut: Cut, fact: Fact | None) -> Mapping[Values, Tally]:
    return {} if fact is None else weights(question, cut, fact)


def _weighed(question: Question, cut: Cut, fact: Fact | None) -> Tally:
    return next(iter(_by_group(question, cut, fact).values()), {})


def _counts(question: Question, tally: Tally) -> bool:
    """Whether a fact with this weight is behind the number."""
    if question.narrowing:
        return question.metric.answer(tally, question.narrowing).n != 0
    return any(tally.values())


def _addition(question: Question, dims: dict[str, str], before: Tally, after: Tally) -> Addition:
    names = dict.fromkeys((*before, *after))
    adds = {name: difference for name in names if (difference := after.get(name, 0) - before.get(name, 0))}
    was, now = question.metric.answer(before, question.narrowing), question.metric.answer(after, question.narrowing)
    count = None if was.count is None and now.count is None else (now.count or 0) - (was.count or 0)
    return Addition(dims, adds, now.n - was.n, count)
