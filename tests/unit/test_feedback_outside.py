"""Cases of outside desks: whatever the order and however often their steps are told, the same case comes out."""

import random
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.tapes.events import Playing
from deploy.tapes.tape import load_tape
from services.feedback.model.case import Case, evolve
from services.feedback.model.opening import CaseAlreadyOpened, Opening, open_case
from services.feedback.model.outside_desk import CaseRunHere, record_step
from shared.contracts import feedback as said
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.decision import Said, TooEarly
from shared.contracts.envelope import parse_moment
from shared.contracts.intake import CaseUpdated, ComplaintReceived, Intake

START = datetime(2016, 3, 1, 8, tzinfo=UTC)
Step = tuple[CaseUpdated, datetime]
Statuses = Literal["acknowledged", "assigned", "responded", "working", "waiting", "resolved", "closed"]
OPENING = Opening(
    case_id="c", source="desk", external_id="1", at=START, desk="outside", priority="3", timezone="Etc/UTC", text="坏了"
)


def step(status: Statuses, hours: float, **more: Any) -> Step:
    return CaseUpdated(case="1", status=status, **more), START + timedelta(hours=hours)


class Told:
    """One case as the service would keep it: its state, its journal, and what waits for the opening."""

    def __init__(self) -> None:
        self.state: Case | None = None
        self.journal: list[Said] = []
        self._early: list[Step] = []

    def open(self, opening: Opening) -> None:
        self._note(open_case(self.state, opening))
        for step in self._early:
            self.tell(step)

    def tell(self, step: Step) -> None:
        try:
            self._note(record_step(self.state, *step))
        except TooEarly:
            self._early.append(step)

    def _note(self, sentences: Iterable[Said]) -> None:
        for sentence in sentences:
            self.state = evolve(self.state, sentence.event, sentence.private)
            self.journal.append(sentence)

    @property
    def case(self) -> Case:
        assert self.state is not None
        return self.state


def told(steps: Sequence[Step], opened_after: int = 0) -> Told:
    case = Told()
    for ordinal, one in enumerate([*steps, None]):
        if ordinal == min(opened_after, len(steps)):
            case.open(OPENING)
        if one is not None:
            case.tell(one)
    return case


def folded(journal: Sequence[Said]) -> Case:
    """The case as another process would fold it from what was stored: public JSON and private JSON."""
    state: Case | None = None
    for sentence in journal:
        public = orjson.loads(orjson.dumps(sentence.event.model_dump(mode="json", by_alias=True, exclude_none=True)))
        event = CATALOGUE[sentence.event.TYPE].event.model_validate(public)
        state = evolve(state, event, orjson.loads(orjson.dumps(dict(sentence.private))))
    assert state is not None
    return state


def heard(journal: Sequence[Said]) -> dict[tuple[str, int], said.CaseStep]:
    """What a listener knows that lets every telling of a step replace the earlier one."""
    return {(s.event.TYPE, s.event.cycle): s.event for s in journal if isinstance(s.event, said.CaseStep)}


CODES = st.sampled_from([None, "a", "b"])
STEPS = st.builds(
    lambda status, minutes, **more: (
        CaseUpdated(case="1", status=status, **more),
        START + timedelta(minutes=minutes),
    ),
    st.sampled_from(get_args(Statuses)),
    st.integers(-3, 6),
    reopen_count=st.integers(0, 3),
    time_known=st.booleans(),
    human=st.booleans(),
    by=CODES,
    priority=CODES,
    sla_kept=st.sampled_from([None, True, False]),
    outcome=CODES,
)


@given(st.lists(STEPS, max_size=14), st.data())
@settings(max_examples=300)
def test_any_order_and_any_repeat_tell_the_same_case(steps: list[Step], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(steps), max_size=5)) if steps else []
    shuffled = data.draw(st.permutations([*steps, *repeats]))
    one = told(steps)
    other = told(shuffled, opened_after=data.draw(st.integers(0, len(shuffled))))
    assert one.case == other.case
    assert heard(one.journal) == heard(other.journal)


@given(st.lists(STEPS, max_size=14))
@settings(max_examples=200)
def test_the_state_is_the_fold_of_its_journal(steps: list[Step]) -> None:
    case = told(steps)
    assert folded(case.journal) == case.case
    assert Case.model_validate(case.case.model_dump()) == case.case


def test_a_step_before_the_opening_waits_and_may_lie_before_it_in_time() -> None:
    with pytest.raises(TooEarly):
        record_step(None, *step("resolved", 1))
    case = told([step("acknowledged", -2)], opened_after=1).case
    acknowledged = case.cycle(1).acknowledged
    assert acknowledged is not None
    assert acknowledged.at < case.opened_at


def test_the_first_acknowledgement_and_the_last_resolution_of_a_cycle_count() -> None:
    case = told([step("acknowledged", 3), step("acknowledged", 1), step("resolved", 5), step("resolved", 9)]).case
    first = case.cycle(1)
    assert first.acknowledged is not None
    assert first.resolved is not None
    assert first.acknowledged.at == START + timedelta(hours=1)
    assert first.resolved.at == START + timedelta(hours=9)


def test_a_known_time_of_resolving_wins_over_an_unknown_one() -> None:
    known = told([step("resolved", 2), step("resolved", 9, time_known=False)]).case.cycle(1).resolved
    unknown = (
        told([step("resolved", 2, time_known=False), step("resolved", 9, time_known=False)]).case.cycle(1).resolved
    )
    assert known is not None
    assert unknown is not None
    assert (known.at, known.time_known) == (START + timedelta(hours=2), True)
    assert (unknown.at, unknown.time_known) == (START + timedelta(hours=9), False)


def test_a_cycle_begins_with_its_earliest_step_whatever_it_is() -> None:
    case = told([step("closed", 90, reopen_count=2), step("working", 50, reopen_count=2), step("working", 30)])
    assert [cycle.number for cycle in case.case.cycles] == [1, 3]
    case.tell(step("resolved", 40, reopen_count=1))
    begun = [(cycle.number, cycle.reopened.at if cycle.reopened else None) for cycle in case.case.cycles]
    assert begun == [(1, None), (2, START + timedelta(hours=40)), (3, START + timedelta(hours=50))]
    assert case.case.status == "closed"


def test_a_person_s_answer_stands_before_a_machine_s() -> None:
    responded = told([step("responded", 1, human=False), step("responded", 4), step("responded", 6)]).case.cycle(1)
    assert responded.responded is not None
    assert (responded.responded.at, responded.responded.human) == (START + timedelta(hours=4), True)


def test_the_newest_step_of_the_last_cycle_is_the_status() -> None:
    assert told([]).case.status == "received"
    assert told([step("waiting", 3), step("working", 2)]).case.status == "waiting_customer"
    assert told([step("waiting", 3), step("working", 4)]).case.status == "investigating"
    assert told([step("closed", 5), step("working", 9, reopen_count=1)]).case.status == "investigating"


def test_what_changes_nothing_says_nothing() -> None:
    case = told([step("acknowledged", 1), step("closed", 5, sla_kept=True, priority="2")])
    before = len(case.journal)
    case.tell(step("acknowledged", 4))
    case.tell(step("closed", 5, sla_kept=True, priority="2"))
    case.tell(step("closed", 4, sla_kept=False, priority="1"))
    assert len(case.journal) == before


def test_a_case_is_opened_once_and_our_own_takes_no_steps_from_outside() -> None:
    case = told([]).case
    with pytest.raises(CaseAlreadyOpened):
        open_case(case, OPENING)
    own = case.model_copy(update={"desk": "own"})
    with pytest.raises(CaseRunHere):
        record_step(own, *step("closed", 5))


def test_nothing_written_is_in_an_event() -> None:
    journal = told([step("resolved", 2)]).journal
    assert all("坏了" not in sentence.event.model_dump_json() for sentence in journal)
    assert next(iter(folded(journal).words.values())).text == "坏了"


@pytest.fixture(scope="module")
def service_desk_log() -> list[tuple[str, Any, datetime]]:
    """Every event of the bundled tape of a real service desk: case, what it says, when."""
    events = Playing(load_tape("incident-log", None)).events(lambda row: pytest.fail(str(row)))
    models: dict[str, type[Intake]] = {"complaint.received": ComplaintReceived, "case.updated": CaseUpdated}
    return [
        (
            event.body["data"]["case"],
            models[event.body["type"]].model_validate(event.body["data"]),
            parse_moment(event.body["time"]),
        )
        for event in events
    ]


@pytest.mark.parametrize("order", ["as written", "told three times, shuffled"])
def test_the_log_of_a_real_service_desk_gives_its_known_figures(
    service_desk_log: list[tuple[str, Any, datetime]], order: str
) -> None:
    rows = list(service_desk_log)
    if order.startswith("told three times"):
        rows += [row for row in service_desk_log if isinstance(row[1], CaseUpdated)] * 2
    if order.endswith("shuffled"):
        random.Random(498).shuffle(rows)
    cases: dict[str, Told] = {}
    for number, data, at in rows:
        case = cases.setdefault(number, Told())
        if isinstance(data, ComplaintReceived):
            case.open(
                Opening(
                    case_id=number,
                    source="incident-log",
                    external_id=number,
                    at=at,
                    desk="outside",
                    priority=data.priority,
                    dims=data.dims,
                )
            )
        else:
            case.tell((data, at))
    assert len(cases) == 9_202
    for case in list(cases.values())[:500]:
        assert folded(case.journal) == case.case
    _compare_with_known_figures({number: (case.case, heard(case.journal)) for number, case in cases.items()})


def _compare_with_known_figures(cases: dict[str, tuple[Case, dict[tuple[str, int], said.CaseStep]]]) -> None:
    """The data set's README (b), by METRICS D13, D15 and verdicts from outside, from what a listener knows."""
    reopened, first_resolved, reopened_soon = 0, 0, 0
    hours: list[float] = []
    kept, closed_by_priority = Counter[str | None](), Counter[str | None]()
    for case, steps in cases.values():
        cycles = {cycle for _, cycle in steps}
        begun = [step.at for step in steps.values() if isinstance(step, said.CaseReopened)]
        reopened += bool(begun)
        first = steps.get((said.CaseResolved.TYPE, 1))
        if first is not None:
            first_resolved += 1
            reopened_soon += bool(begun) and timedelta() <= min(begun) - first.at <= timedelta(days=30)
        resolved = [
            step for n in cycles if isinstance(step := steps.get((said.CaseResolved.TYPE, n)), said.CaseResolved)
        ]
        known = [step for step in resolved if step.time_known]
        if known:
            hours.append((max(known, key=lambda one: one.cycle).at - case.opened_at).total_seconds() / 3600)
        closed = [step for n in cycles if isinstance(step := steps.get((said.CaseClosed.TYPE, n)), said.CaseClosed)]
        last = max(closed, key=lambda one: one.cycle)
        closed_by_priority[last.priority] += 1
        kept[last.priority] += bool(last.sla_kept)
        assert case.status == "closed"
    assert (reopened, reopened_soon, first_resolved) == (133, 131, 9_200)
    assert (len(hours), round(statistics.median(hours), 4)) == (8_419, 70.4333)
    assert (kept.total(), closed_by_priority.total()) == (3_719, 9_202)
    shares = {level: f"{100 * kept[level] / count:.2f}" for level, count in closed_by_priority.items()}
    assert shares == {"1": "2.13", "2": "0.70", "3": "40.12", "4": "71.09"}
