"""Rules of promotions: the director nominates, HR decides, and the post follows from the last yes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pytest

from services.customer.model import staff
from services.customer.model.posts import PostHeldAlready, PostImpossible, PostToOneself, PostUnknown, take_post
from services.customer.model.promotions import (
    NotYoursToNominate,
    PromotionUnknown,
    decide,
    lapse,
    nominate,
    withdraw,
)
from services.customer.model.staff import Staff, StaffUnknown
from shared.contracts import staff as said
from shared.contracts.decision import Said
from shared.policy.approvals import refusals
from shared.policy.approvals.acting import Acting, Substitution
from shared.policy.approvals.escalating import Ladder
from shared.policy.chart import Chart, Holder
from shared.policy.shelf import read_policies

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
CRM, DATA = "customer_relations", "customer_data_team"
S0 = read_policies(["s0-enterprise"])
DIRECTOR = Acting(person="head", roles=frozenset({"director"}))
HR = Acting(person="hr-1", roles=frozenset({"hr"}))
TO_MANAGER = ("manager", CRM, "p1")


def after(state: Staff | None, told: Sequence[Said]) -> Staff:
    for one in told:
        state = staff.evolve(state, one.event, one.private)
    assert state is not None
    return state


def lead() -> Staff:
    since = NOW - timedelta(days=400)
    wanted = Holder("wang", "group_leader", DATA)
    return after(None, take_post(None, "p1", wanted, since, "hr-1", S0, ON, NOW))


def nominated(
    post: tuple[str, str, str | None] = TO_MANAGER, who: Acting = DIRECTOR, state: Staff | None = None
) -> list[Said]:
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
@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_neither_the_nominee_nor_a_stand_in_of_the_nominee_signs_a_step_of_the_promotion(
    verdict: Literal["approve", "reject"],
) -> None:
    asked = after(lead(), nominated()).promotions["n1"]
    route = asked.approval.route.model_copy(update={"steps": ("group_leader", "hr")})
    approval = asked.approval.model_copy(update={"route": route})
    state = lead().model_copy(update={"promotions": {"n1": asked.model_copy(update={"approval": approval})}})

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
        assert (signed.step, signed.status) == ((1, "pending") if verdict == "approve" else (0, "rejected"))


@pytest.mark.policy("S0-19")
def test_a_nomination_is_taken_back_by_whoever_made_it() -> None:
    state = after(lead(), nominated())
    with pytest.raises(refusals.NotYourRequest):
        withdraw(state, "n1", HR, None, NOW)
    state = after(state, withdraw(state, "n1", DIRECTOR, "填错", NOW))
    assert (list(state.posts), state.promotions["n1"].approval.status) == (["p1"], "withdrawn")
    with pytest.raises(refusals.ApprovalNotOpen):
        decide(state, "n1", HR, "approve", (0, 1), None, S0, ON, NOW)


@pytest.mark.policy("S0-19", "S0-02")
def test_a_nomination_that_waits_too_long_is_told_up_the_line_where_the_policy_sets_a_time() -> None:
    chart = Chart.of(S0, ON, [Holder("chief", "coo", "operations")])
    ladder, due = Ladder(chart, S0.calendar(ON)), NOW + timedelta(days=7)
    state = after(lead(), nominated())
    asked = state.promotions["n1"]
    assert (asked.approval.alarm_at, lapse(state, due, ladder)) == (None, []), "the shipped chain sets no time"
    timed = {"due_at": due, "alarm_at": due}
    route = asked.approval.route.model_copy(update={"on_expiry": "escalate", "escalate_to": "coo"})
    approval = asked.approval.model_copy(update={**timed, "route": route})
    state = state.model_copy(update={"promotions": {"n1": asked.model_copy(update={"approval": approval})}})
    assert state.timer_at == due
    (told,) = lapse(state, due, ladder)
    assert told.event.model_dump(include={"to", "people", "level"}) == {"to": "coo", "people": ["chief"], "level": 1}
    state = after(state, [told])
    assert (lapse(state, due, ladder), state.promotions["n1"].approval.waiting_for) == ([], "hr")
    ending = approval.model_copy(update={"route": route.model_copy(update={"on_expiry": "lapse"})})
    state = state.model_copy(update={"promotions": {"n1": asked.model_copy(update={"approval": ending})}})
    assert after(state, lapse(state, due, ladder)).promotions["n1"].approval.status == "lapsed"


def test_whoever_nominates_names_a_post_that_can_be_held_and_one_that_is() -> None:
    with pytest.raises(NotYoursToNominate, match="director"):
        nominated(who=HR)
    with pytest.raises(PostImpossible):
        nominated(("emperor", CRM, None))
    with pytest.raises(PostHeldAlready):
        nominated(("group_leader", DATA, None))
    with pytest.raises(PostUnknown):
        nominated(("manager", CRM, "p9"))
    with pytest.raises(StaffUnknown):
        nominate(None, "n1", TO_MANAGER, "x", DIRECTOR, S0, ON, NOW)
