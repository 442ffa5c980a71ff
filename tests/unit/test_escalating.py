"""What is late is told level by level, once each, to the people who hold the posts above."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.policy.approvals.approval import Approval, evolve
from shared.policy.approvals.chain import Route
from shared.policy.approvals.deciding import expire
from shared.policy.approvals.escalating import Ladder
from shared.policy.approvals.moves import Escalated, Request, Signature, StepApproved, Submitted
from shared.policy.chart import Chart, Holder
from shared.policy.declared import Span
from shared.policy.shelf import read_policies

ON = date(2026, 10, 9)
S0 = read_policies(["s0-enterprise"])
DUE = datetime(2026, 10, 15, 16, tzinfo=UTC)  # Thursday 24:00 in Shanghai
FRIDAY, MONDAY = (datetime(2026, 10, day, 16, tzinfo=UTC) for day in (16, 19))
CRM, DATA = "customer_relations", "customer_data_team"
A_WORKING_DAY = Span(amount=1, unit="working_days")
HOLDERS = (
    Holder("staff-1", "specialist", DATA),
    Holder("boss", "manager", CRM),
    Holder("other", "manager", "sales"),
    Holder("head", "director", CRM),
)


def ladder(*without: str) -> Ladder:
    return Ladder(Chart.of(S0, ON, [one for one in HOLDERS if one.person not in without]), S0.calendar(ON))


def late(every: Span | None = A_WORKING_DAY, steps: tuple[str, ...] = ("group_leader",), last: str = "coo") -> Approval:
    route = Route(steps=steps, versions=("t@1",), on_expiry="escalate", escalate_to=last, escalate_every=every)
    request = Request(approval_id="r", kind="keychange", requester="staff-1")
    return evolve(None, Submitted(at=DUE - timedelta(days=7), request=request, route=route, due_at=DUE))


def told(state: Approval, now: datetime, by: Ladder | None) -> tuple[Approval, list[tuple[int, str, tuple[str, ...]]]]:
    """The state after what came by then, and (level, role, people) of it."""
    heard = []
    for one in expire(state, now, by):
        assert isinstance(one.move, Escalated)
        heard.append((one.move.level, one.move.to, one.move.people))
        state = evolve(state, one.move)
    return state, heard


@pytest.mark.policy("S0-02")
def test_each_level_hears_of_it_a_working_day_after_the_one_before_and_once() -> None:
    state, heard = told(late(), DUE - timedelta(seconds=1), ladder())
    assert heard == []
    state, heard = told(state, DUE, ladder())
    assert heard == [(1, "manager", ("boss",))], "the manager of the requester's department, not of another"
    assert (state.alarm_at, told(state, FRIDAY - timedelta(seconds=1), ladder())[1]) == (FRIDAY, [])
    state, heard = told(state, FRIDAY, ladder())
    assert heard == [(2, "director", ("head",))]
    state, heard = told(state, MONDAY, ladder())
    assert heard == [(3, "coo", ())], "the last one is told even where nobody is known to hold the post"
    assert (state.alarm_at, told(state, MONDAY + timedelta(days=9), ladder())[1]) == (None, [])
    assert state.waiting_for == "group_leader"


def test_who_was_away_is_told_of_every_level_that_passed() -> None:
    state, heard = told(late(), MONDAY, ladder())
    assert [level for level, _, _ in heard] == [1, 2, 3]
    assert told(state, MONDAY, ladder()) == (state, [])


def test_a_vacant_level_is_passed_over_and_the_next_one_follows_without_delay() -> None:
    state, heard = told(late(), DUE, ladder("boss", "other"))
    assert heard == [(1, "director", ("head",))]
    assert told(state, FRIDAY, ladder("boss", "other"))[1] == [(2, "coo", ())]


def agreed(state: Approval, now: datetime) -> Approval:
    """The state after the waiting step was approved, late."""
    role = state.route.steps[state.step]
    signed = Signature(by=f"{role}-in-charge")
    return evolve(state, StepApproved(at=now, step=state.step, role=role, signature=signed, late=True))


@pytest.mark.policy("S0-02")
def test_posts_filled_and_left_between_two_levels_leave_nobody_out_and_nobody_is_told_twice() -> None:
    gone = ladder("boss", "other")
    state, heard = told(late(), DUE, ladder())
    assert heard == [(1, "manager", ("boss",))]
    assert told(state, FRIDAY, gone)[1] == [(2, "director", ("head",))], "the manager left, the director is next still"

    state, heard = told(late(), DUE, gone)
    assert heard == [(1, "director", ("head",))]
    state, heard = told(state, FRIDAY, ladder())
    assert heard == [(2, "manager", ("boss",))], "the post below was filled since then"
    state, heard = told(state, MONDAY, ladder())
    assert (heard, state.alarm_at) == ([(3, "coo", ())], None)


@pytest.mark.policy("S0-02")
def test_a_step_decided_late_goes_on_above_the_next_one_among_those_who_have_not_heard() -> None:
    state, _ = told(late(steps=("group_leader", "director"), last="ceo"), DUE, ladder())
    state, heard = told(state, FRIDAY, ladder())
    assert heard == [(2, "director", ("head",))]
    state = agreed(state, FRIDAY)
    assert (state.waiting_for, state.alarm_at) == ("director", MONDAY)
    state, heard = told(state, MONDAY, ladder())
    assert heard == [(3, "ceo", ())], "nobody holds the post of the COO"
    assert (state.alarm_at, told(state, MONDAY + timedelta(days=9), ladder())[1]) == (None, [])


@pytest.mark.parametrize(("before", "next_"), [(0, "manager"), (1, "director"), (2, "coo"), (9, "coo")])
def test_what_was_stored_when_levels_were_counted_goes_on_where_it_stood(before: int, next_: str) -> None:
    state = late()
    stored = {**state.model_dump(exclude={"told_to"}), "levels_told": before}
    state, heard = told(Approval.model_validate(stored), DUE, ladder())
    assert [(level, role) for level, role, _ in heard] == [(before + 1, next_)]
    while state.alarm_at is not None:
        state, heard = told(state, state.alarm_at, ladder())
        assert len(heard) == 1
    named = [role for role in state.told_to if role]
    assert (named, len(state.told_to)) == (["manager", "director", "coo"][-len(named) :], before + len(named))


CHANGES = some.lists(some.tuples(some.sets(some.sampled_from([one.person for one in HOLDERS])), some.booleans()))


@given(CHANGES)
def test_whatever_changes_each_alarm_tells_somebody_new_until_all_above_have_heard(
    changes: list[tuple[set[str], bool]],
) -> None:
    state, heard = late(steps=("group_leader", "manager", "director"), last="ceo"), list[str]()
    for number, (vacant, agrees) in enumerate([*changes, *[(set[str](), False)] * 9]):
        if state.alarm_at is None:
            break
        by = ladder(*vacant)
        state, now = told(state, state.alarm_at, by)
        assert [(level, role) for level, role, _ in now] == [(number + 1, now[0][1])], "one at its time, and never none"
        heard += [role for _, role, _ in now]
        if state.alarm_at is None:
            assert {one.role for one in by.rungs(state, "ceo")} <= set(heard)
        if agrees and state.step < 2:
            state = agreed(state, DUE)
    assert (state.alarm_at, heard[-1], len(heard)) == (None, "ceo", len(set(heard)))


def test_without_a_time_between_levels_or_without_a_chart_the_last_role_alone_hears_of_it() -> None:
    state, heard = told(late(every=None), DUE, ladder())
    assert (heard, state.alarm_at) == ([(1, "coo", ())], None)
    assert told(late(), DUE, None)[1] == [(1, "coo", ())]


def test_in_a_year_nobody_has_announced_every_day_counts() -> None:
    due = datetime(2031, 5, 1, tzinfo=UTC)
    assert [ladder().level_at(due, A_WORKING_DAY, level) - due for level in (1, 2, 3)] == [
        timedelta(days=days) for days in (0, 1, 2)
    ]


def test_while_no_calendar_is_set_every_day_counts_and_everybody_hears_of_it() -> None:
    state, heard = told(late(), DUE + timedelta(days=2), replace(ladder(), calendar=None))
    assert [level for level, _, _ in heard] == [1, 2, 3]
    first, _ = told(late(), DUE, replace(ladder(), calendar=None))
    assert (first.alarm_at, state.alarm_at) == (DUE + timedelta(days=1), None)
