"""Deadlines of a case: set by urgency, settled by steps, still while the customer is waited for, told once each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.feedback.model import own_desk as desk
from services.feedback.model.case import Case, evolve
from services.feedback.model.deadlines import Deadlines, tell_time
from services.feedback.model.opening import Opening, open_case
from shared.contracts import feedback as said
from shared.contracts.decision import Said
from shared.policy.shelf import read_policies
from tests.support.deadlines import deadlines
from tests.support.limits import NAMES

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)
SET = deadlines()
LEVELS = ("group_leader", "manager", "director")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=SHANGHAI)


def after(case: Case | None, sentences: Sequence[Said]) -> Case:
    for one in sentences:
        case = evolve(case, one.event, one.private)
    assert case is not None
    return case


def opened(priority: str | None = None, targets: Deadlines = SET) -> Case:
    begun = targets.begun(MONDAY, priority)
    form = Opening(case_id="c", source="s", external_id="1", at=MONDAY, priority=priority, targets=begun)
    return after(None, open_case(None, form))


def due(case: Case) -> Mapping[str, datetime]:
    return {one.kind: one.target.due_at.astimezone(SHANGHAI) for one in case.timers}


def told(case: Case, now: datetime) -> list[said.SlaWarned]:
    return [one.event for one in tell_time(case, now, LEVELS) if isinstance(one.event, said.SlaWarned)]


@pytest.mark.policy("S1-09")
def test_urgency_sets_the_deadlines_in_business_time() -> None:
    assert due(opened()) == {"acknowledge": at(2, 10), "respond": at(2, 11), "resolve": at(4, 10)}
    assert due(opened("urgent")) == {"acknowledge": at(2, 9, 30), "respond": at(2, 10), "resolve": at(3, 9, 30)}
    assert due(opened("high")) == {}


def test_the_packs_as_they_stand_leave_them_unset_and_cases_are_taken_in() -> None:
    assert due(opened(targets=Deadlines(read_policies(NAMES), SHANGHAI))) == {}


def test_a_year_nobody_declared_holds_up_no_case() -> None:
    assert SET.begun(datetime(2050, 3, 1, tzinfo=UTC), None) == {}


@pytest.mark.policy("S1-15")
def test_warned_due_and_overdue_are_told_once_each_up_the_levels() -> None:
    case = opened()
    assert told(case, at(2, 9, 47)) == []
    seen = []
    for moment in (at(2, 9, 48), at(2, 9, 59), at(2, 10), at(4, 0), at(5, 0), at(6, 0), at(20, 9)):
        events = [one for one in told(case, moment) if one.kind == "acknowledge"]
        sentences = tell_time(case, moment, LEVELS)
        case = after(case, sentences)
        assert tell_time(case, moment, LEVELS) == []
        seen += [(getattr(one, "level", None), getattr(one, "role", None)) for one in events]
    assert seen == [(None, None), (0, None), (1, "group_leader"), (2, "manager"), (3, "director")]
    assert case.timer_at is None


def test_who_was_away_over_the_due_time_tells_it_without_a_warning() -> None:
    late = [one for one in told(opened(), at(2, 10, 30)) if one.kind == "acknowledge"]
    assert [(one.TYPE, one.at, one.timer_id) for one in late] == [(said.SlaBreached.TYPE, at(2, 10), "c:1:acknowledge")]


def test_steps_settle_what_they_answer() -> None:
    case = after(opened(), desk.acknowledge(opened(), MONDAY, "u"))
    assert set(due(case)) == {"respond", "resolve"}
    machine = after(case, desk.respond(case, MONDAY, "u", False, {}))
    assert set(due(machine)) == {"respond", "resolve"}
    answered = after(case, desk.respond(case, MONDAY, "u", True, {}))
    assert set(due(answered)) == {"resolve"}
    resolved = after(answered, desk.resolve(answered, MONDAY, "u", None, True, {}))
    assert due(resolved) == {}
    again = after(resolved, desk.reopen(resolved, at(9, 9), "u", None, {}, SET.begun))
    assert {(one.kind, one.cycle) for one in again.timers} == {("acknowledge", 2), ("respond", 2), ("resolve", 2)}


def test_waiting_for_the_customer_is_not_the_desks_time() -> None:
    case = after(opened(), desk.acknowledge(opened(), MONDAY, "u"))
    paused = after(case, desk.pause(case, at(2, 10), "u", "waiting_customer"))
    assert paused.timer_at is None
    assert told(paused, at(20, 9)) == []
    resumed = after(paused, desk.resume(paused, at(5, 9), "u", SET.resumed))
    assert due(resumed) == {"respond": at(5, 10), "resolve": at(6, 18)}
    assert resumed.timer_at is not None
    assert resumed.timer_at > at(5, 9)


def test_an_outside_desk_has_no_deadlines_of_ours() -> None:
    outside = open_case(None, Opening(case_id="c", source="s", external_id="1", at=MONDAY, desk="outside"))
    assert after(None, outside).timers == ()
