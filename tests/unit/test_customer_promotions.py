"""Rules of promotions: the director nominates, HR decides, and the post follows from the last yes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest

from services.customer.model import staff
from services.customer.model.approving import Verdict
from services.customer.model.posts import PostHeldAlready, PostImpossible, PostToOneself, PostUnknown, take_post
from services.customer.model.promotions import (
    NotYoursToNominate,
    PromotionUnknown,
    Wanted,
    ask_again,
    decide,
    lapse,
    nominate,
    reschedule,
    withdraw,
)
from services.customer.model.staff import Staff, StaffUnknown
from shared.contracts import staff as said
from shared.contracts.decision import Said
from shared.policy.approvals import refusals
from shared.policy.approvals.acting import Acting, Substitution
from shared.policy.approvals.escalating import Ladder
from shared.policy.chart import Chart, Holder
from shared.policy.declared import Span
from shared.policy.shelf import read_policies

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
CRM, DATA = "customer_relations", "customer_data_team"
S0 = read_policies(["s0-enterprise"])
DIRECTOR = Acting(person="head", roles=frozenset({"director"}))
HR = Acting(person="hr-1", roles=frozenset({"hr"}))
AFTER = {"approve": (1, "pending"), "reject": (0, "rejected"), "return": (0, "returned")}
TO_MANAGER = Wanted("manager", CRM, "p1")


def after(state: Staff | None, told: Sequence[Said]) -> Staff:
    for one in told:
        state = staff.evolve(state, one.event, one.private)
    assert state is not None
    return state


def lead() -> Staff:
    since = NOW - timedelta(days=400)
    wanted = Holder("wang", "group_leader", DATA)
    return after(None, take_post(None, "p1", wanted, since, "hr-1", S0, ON, NOW))


def changed(state: Staff, route: Mapping[str, Any], **approval: Any) -> Staff:
    """The same with another route of its nomination, and where that stands."""
    asked = state.promotions["n1"]
    other = {**approval, "route": asked.approval.route.model_copy(update=route)}
    after_that = asked.model_copy(update={"approval": asked.approval.model_copy(update=other)})
    return state.model_copy(update={"promotions": {"n1": after_that}})


def nominated(post: Wanted = TO_MANAGER, who: Acting = DIRECTOR, state: Staff | None = None) -> list[Said]:
    return nominate(lead() if state is None else state, "n1", post, "业绩突出", who, S0, ON, NOW)


@pytest.mark.policy("S0-19")
def test_the_director_nominates_hr_agrees_and_the_post_is_held_instead_of_the_one_before() -> None:
    told = nominated()
    assert isinstance(told[0].event, said.PromotionNominated)
    assert told[0].event.steps == ["hr"]
    assert "业绩突出" not in told[0].event.model_dump_json()
    state = after(lead(), told)
    assert [one.role for one in state.posts.values()] == ["group_leader"], "not before HR agrees"
    with pytest.raises(refusals.NotYourStep):
        decide(state, "n1", Acting(person="chief", roles=frozenset({"coo"})), "approve", (0, 1), None, S0, ON, NOW)
    both = Acting(person="head", roles=frozenset({"hr"}))
    with pytest.raises(refusals.RequesterCannotApprove):
        decide(state, "n1", both, "approve", (0, 1), None, S0, ON, NOW)
    agreed = decide(state, "n1", HR, "approve", (0, 1), None, S0, ON, NOW)
    assert [type(one.event).__name__ for one in agreed] == [
        "PromotionStepApproved",
        "PromotionDecided",
        "PostTaken",
        "PostLeft",
    ]
    state = after(state, agreed)
    assert [(one.role, one.unit, one.since) for one in state.posts.values()] == [("manager", CRM, NOW)]
    with pytest.raises(refusals.ApprovalNotOpen):
        decide(state, "n1", HR, "approve", (0, 1), None, S0, ON, NOW)


@pytest.mark.policy("S0-19")
def test_a_no_has_its_reason_and_changes_nothing_and_nobody_is_promoted_by_himself() -> None:
    state = after(lead(), nominated())
    with pytest.raises(refusals.ReasonMissing):
        decide(state, "n1", HR, "reject", (0, 1), None, S0, ON, NOW)
    refused = after(state, decide(state, "n1", HR, "reject", (0, 1), "编制已满", S0, ON, NOW))
    assert (list(refused.posts), refused.promotions["n1"].approval.status) == (["p1"], "rejected")
    own = Acting(person="wang", roles=frozenset({"hr"}))
    with pytest.raises(PostToOneself):
        decide(state, "n1", own, "approve", (0, 1), None, S0, ON, NOW)
    with pytest.raises(PostToOneself):
        nominated(who=Acting(person="wang", roles=frozenset({"director"})))
    with pytest.raises(PromotionUnknown):
        decide(state, "n2", HR, "approve", (0, 1), None, S0, ON, NOW)


@pytest.mark.policy("S0-19")
@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_neither_the_nominee_nor_a_stand_in_of_the_nominee_signs_a_step_of_the_promotion(
    verdict: Verdict,
) -> None:
    state = changed(after(lead(), nominated()), {"steps": ("group_leader", "hr")})

    def place_of(absent: str) -> Substitution:
        return Substitution(role="group_leader", absent=absent, since=NOW, until=NOW + timedelta(days=1))

    def decided(person: str, *places: Substitution, roles: frozenset[str] = frozenset()) -> list[Said]:
        who = Acting(person=person, roles=roles, substitutions=places)
        return decide(state, "n1", who, verdict, (0, 1), "因为", S0, ON, NOW)

    with pytest.raises(PostToOneself):
        decided("wang", roles=frozenset({"group_leader"}))
    with pytest.raises(PostToOneself):
        decided("wang", place_of("zhao"))
    with pytest.raises(PostToOneself):
        decided("sun", place_of("wang"))
    for told in (
        decided("sun", place_of("wang"), place_of("zhao")),
        decided("zhao", roles=frozenset({"group_leader"})),
    ):
        signed = after(state, told).promotions["n1"].approval
        assert (signed.step, signed.status) == AFTER[verdict]


@pytest.mark.policy("S0-19")
def test_a_nomination_is_taken_back_by_whoever_made_it() -> None:
    state = after(lead(), nominated())
    with pytest.raises(refusals.NotYourRequest):
        withdraw(state, "n1", HR, None, NOW)
    state = after(state, withdraw(state, "n1", DIRECTOR, "填错", NOW))
    assert (list(state.posts), state.promotions["n1"].approval.status) == (["p1"], "withdrawn")
    with pytest.raises(refusals.ApprovalNotOpen):
        decide(state, "n1", HR, "approve", (0, 1), None, S0, ON, NOW)


@pytest.mark.policy("S0-19", "S3-15")
def test_a_nomination_goes_back_for_a_correction_and_is_decided_anew_for_the_post_it_names_then() -> None:
    def again(state: Staff, who: Acting = DIRECTOR, post: Wanted = TO_MANAGER) -> list[Said]:
        return ask_again(state, "n1", post, "两个季度前20%", who, S0, ON, NOW)

    state = after(lead(), nominated(Wanted("specialist", CRM)))
    with pytest.raises(refusals.ApprovalNotOpen):
        again(state)
    with pytest.raises(refusals.ReasonMissing):
        decide(state, "n1", HR, "return", (0, 1), " ", S0, ON, NOW)
    told = decide(state, "n1", HR, "return", (0, 1), "岗位写错", S0, ON, NOW)
    assert [type(one.event) for one in told] == [said.PromotionReturned]
    assert "岗位写错" not in told[0].event.model_dump_json()
    state = after(state, told)
    assert (state.promotions["n1"].approval.status, state.words["n1"].because) == ("returned", "岗位写错")
    with pytest.raises(refusals.ApprovalNotOpen):
        decide(state, "n1", HR, "approve", (0, 1), None, S0, ON, NOW)
    with pytest.raises(refusals.NotYourRequest):
        again(state, Acting(person="other", roles=frozenset({"director"})))
    with pytest.raises(NotYoursToNominate):
        again(state, HR)
    with pytest.raises(PostHeldAlready):
        again(state, post=Wanted("group_leader", DATA))
    assert after(state, withdraw(state, "n1", DIRECTOR, None, NOW)).promotions["n1"].approval.status == "withdrawn"

    state = after(state, again(state))
    asked = state.promotions["n1"]
    assert (asked.role, asked.leaves, asked.approval.status, asked.approval.cycle) == ("manager", "p1", "pending", 2)
    assert state.words["n1"] == staff.Words(reason="两个季度前20%")
    with pytest.raises(refusals.StepAlreadyDecided):
        decide(state, "n1", HR, "approve", (0, 1), None, S0, ON, NOW)
    state = after(state, decide(state, "n1", HR, "approve", (0, 2), None, S0, ON, NOW))
    assert [one.role for one in state.posts.values()] == ["manager"]


@pytest.mark.policy("S0-19")
def test_the_deadline_of_an_open_nomination_follows_an_edited_calendar_once() -> None:
    calendar, due = S0.calendar(ON), NOW + timedelta(days=9)
    asked = after(lead(), nominated())
    assert reschedule(asked, calendar, NOW) == [], "the shipped chain sets no time"
    state = changed(asked, {"on_expiry": "lapse", "within": Span(amount=3, unit="working_days")}, due_at=due)
    (told,) = reschedule(state, calendar, NOW)
    assert told.event.model_dump(exclude={"staff_id", "promotion_id"}) == {
        "due_before": due,
        "due_at": datetime(2026, 10, 13, 16, tzinfo=UTC),
        "calendar_version": calendar.version,
    }
    moved = after(state, [told])
    assert (moved.timer_at, reschedule(moved, calendar, NOW)) == (datetime(2026, 10, 13, 16, tzinfo=UTC), [])
    assert reschedule(after(state, decide(state, "n1", HR, "reject", (0, 1), "否", S0, ON, NOW)), calendar, NOW) == []
    assert (reschedule(state, calendar, due), reschedule(None, calendar, NOW)) == ([], []), "overdue, or nobody"


@pytest.mark.policy("S0-19", "S0-02")
def test_a_nomination_that_waits_too_long_is_told_up_the_line_where_the_policy_sets_a_time() -> None:
    chart = Chart.of(S0, ON, [Holder("chief", "coo", "operations")])
    ladder, due = Ladder(chart, S0.calendar(ON)), NOW + timedelta(days=7)
    asked = after(lead(), nominated())
    shipped = asked.promotions["n1"].approval.alarm_at
    assert (shipped, lapse(asked, due, ladder)) == (None, []), "the shipped chain sets no time"
    state = changed(asked, {"on_expiry": "escalate", "escalate_to": "coo"}, due_at=due, alarm_at=due)
    assert state.timer_at == due
    (told,) = lapse(state, due, ladder)
    assert told.event.model_dump(include={"to", "people", "level"}) == {"to": "coo", "people": ["chief"], "level": 1}
    state = after(state, [told])
    assert (lapse(state, due, ladder), state.promotions["n1"].approval.waiting_for) == ([], "hr")
    ending = changed(asked, {"on_expiry": "lapse"}, due_at=due, alarm_at=due)
    assert after(ending, lapse(ending, due, ladder)).promotions["n1"].approval.status == "lapsed"


def test_whoever_nominates_names_a_post_that_can_be_held_and_one_that_is() -> None:
    with pytest.raises(NotYoursToNominate, match="director"):
        nominated(who=HR)
    with pytest.raises(PostImpossible):
        nominated(Wanted("emperor", CRM))
    with pytest.raises(PostHeldAlready):
        nominated(Wanted("group_leader", DATA))
    with pytest.raises(PostUnknown):
        nominated(Wanted("manager", CRM, "p9"))
    with pytest.raises(StaffUnknown):
        nominate(None, "n1", TO_MANAGER, "x", DIRECTOR, S0, ON, NOW)
