"""Rules of posts and substitutes: who may enter what, what ends with what, and when a post has to rotate."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from services.customer.model import staff
from services.customer.model.posts import (
    PostHeldAlready,
    PostImpossible,
    PostToOneself,
    PostUnknown,
    call_for_rotation,
    leave_post,
    take_post,
)
from services.customer.model.staff import Staff, StaffUnknown, StandingIn
from services.customer.model.substitutes import (
    SubstitutionRefused,
    SubstitutionUnknown,
    arrange_substitute,
    dismiss_substitute,
)
from shared.contracts import staff as said
from shared.contracts.decision import Said
from shared.policy.chart import Chart, Holder
from shared.policy.policies import LimitUnset, Policies
from shared.policy.shelf import read_policies

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
DAY = timedelta(days=1)
CRM, DATA = "customer_relations", "customer_data_team"
S0 = read_policies(["s0-enterprise"])
CHART = Chart.of(S0, ON, [Holder("boss", "manager", CRM), Holder("lead", "group_leader", DATA)])


def after(state: Staff | None, told: Sequence[Said]) -> Staff:
    for one in told:
        state = staff.evolve(state, one.event, one.private)
    assert state is not None
    return state


def taken(
    role: str = "specialist",
    unit: str = DATA,
    since: datetime = NOW,
    before: Staff | None = None,
    post_id: str = "p1",
    by: str = "hr-1",
    policies: Policies = S0,
) -> Staff:
    wanted = Holder("wang", role, unit)
    return after(before, take_post(before, post_id, wanted, since, by, policies, ON, NOW))


def standing(role: str = "specialist", substitute: str = "li", since: datetime = NOW, days: int = 3) -> StandingIn:
    return StandingIn(substitution_id="s1", substitute=substitute, role=role, since=since, until=NOW + days * DAY)


@pytest.mark.policy("S0-13", "S0-16")
def test_a_post_is_a_role_of_the_policy_in_a_unit_of_the_policy_held_once_and_given_by_somebody_else() -> None:
    state = taken()
    assert [(one.role, one.unit) for one in state.posts.values()] == [("specialist", DATA)]
    with pytest.raises(PostHeldAlready):
        taken(before=state, post_id="p2")
    for role, unit, since in (("emperor", DATA, NOW), ("specialist", "moon", NOW), ("specialist", DATA, NOW + DAY)):
        with pytest.raises(PostImpossible):
            taken(role, unit, since)
    with pytest.raises(PostToOneself):
        taken(by="wang")
    with pytest.raises(LimitUnset, match=r"organisation\.units"):
        taken(policies=read_policies(["s4-engineering"]))
    assert len(taken("group_leader", before=state, post_id="p2").posts) == 2


def test_a_substitute_takes_over_a_role_that_is_held_for_a_time_with_an_end_ahead() -> None:
    state = taken()
    told = arrange_substitute(state, standing(), "wang", NOW, "休假")
    assert "休假" not in str(told[0].event)
    state = after(state, told)
    assert [one.substitute for one in state.substitutions] == ["li"]
    for wrong in (
        standing(role="director"),
        standing(substitute="wang"),
        standing(days=0),
        standing(since=NOW + 3 * DAY),
    ):
        with pytest.raises(SubstitutionRefused):
            arrange_substitute(state, wrong, "hr-1", NOW)
    with pytest.raises(SubstitutionRefused, match="himself"):
        arrange_substitute(state, standing(), "li", NOW)
    with pytest.raises(StaffUnknown):
        arrange_substitute(None, standing(), "wang", NOW)
    state = after(state, dismiss_substitute(state, "s1", NOW))
    assert state.substitutions == []
    with pytest.raises(SubstitutionUnknown):
        dismiss_substitute(state, "s1", NOW)


def test_a_substitution_ends_with_the_last_post_of_its_role() -> None:
    state = taken(unit="brand_image_team", before=taken(), post_id="p2")
    state = after(state, arrange_substitute(state, standing(), "wang", NOW))
    state = after(state, leave_post(state, "p1", NOW))
    assert len(state.substitutions) == 1, "the role is still held elsewhere"
    told = leave_post(state, "p2", NOW)
    assert [type(one.event).__name__ for one in told] == ["PostLeft", "SubstituteDismissed"]
    state = after(state, told)
    assert (state.posts, state.substitutions) == ({}, [])
    with pytest.raises(PostUnknown):
        leave_post(state, "p2", NOW)


@pytest.mark.policy("S0-20")
def test_rotation_is_called_for_after_33_months_and_due_after_three_years_told_once_each() -> None:
    since = datetime(2024, 1, 31, 2, tzinfo=UTC)
    state = taken(since=since)
    post = state.posts["p1"]
    assert (post.warn_at, post.due_at) == (
        datetime(2026, 10, 31, 16, tzinfo=UTC),
        datetime(2027, 1, 31, 16, tzinfo=UTC),
    )
    assert post.warn_at is not None
    assert post.due_at is not None
    assert call_for_rotation(state, CHART, post.warn_at - DAY) == []
    told = call_for_rotation(state, CHART, post.warn_at)
    assert isinstance(told[0].event, said.RotationCalledFor)
    assert (told[0].event.overdue, told[0].event.people) == (False, ["lead"])
    state = after(state, told)
    assert (state.timer_at, call_for_rotation(state, CHART, post.due_at - DAY)) == (post.due_at, [])
    told = call_for_rotation(state, CHART, post.due_at)
    assert [one.event.model_dump()["overdue"] for one in told] == [True]
    state = after(state, told)
    assert (state.timer_at, call_for_rotation(state, CHART, post.due_at + 99 * DAY)) == (None, [])


@pytest.mark.policy("S0-20")
def test_who_was_entered_late_is_overdue_at_once_and_a_post_that_is_left_calls_for_nothing() -> None:
    state = taken(since=datetime(2020, 1, 1, tzinfo=UTC))
    told = call_for_rotation(state, CHART, NOW)
    assert [one.event.model_dump()["overdue"] for one in told] == [True]
    left = after(state, leave_post(state, "p1", NOW))
    assert (left.timer_at, call_for_rotation(left, CHART, NOW)) == (None, [])
    assert call_for_rotation(None, CHART, NOW) == []
