"""Rules of visits and receptions: whose plan counts, what a report needs, how far the plan was followed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest

from services.customer.model.adherence import adherence
from services.customer.model.approving import Verdict
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerErased, CustomerUnknown
from services.customer.model.visit_plans import Plan, ask_again, decide, plan
from services.customer.model.visits import (
    Report,
    ReportIncomplete,
    Visit,
    VisitNotOpen,
    VisitUnknown,
    cancel,
    complete,
    evolve,
    record,
)
from shared.contracts import visits as said
from shared.contracts.decision import Said
from shared.policy.approvals import refusals
from shared.policy.approvals.acting import Acting
from tests.unit.test_policy_packs import POLICIES

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
SOON = NOW + timedelta(days=5)
FILE = Customer(customer_id="c1", code="K-1", grade="A")
ERASED = Customer(customer_id="c1", code="K-1", erased_at=NOW)
CLERK = Acting(person="wang", roles=frozenset({"specialist"}))
LEADER = Acting(person="li", roles=frozenset({"group_leader"}))
TALK = Report(at=SOON, outcome="order_expected", needs=("calibration",), key_facts="预算已批", report="很顺利")


def after(state: Visit | None, told: Sequence[Said]) -> Visit:
    for one in told:
        state = evolve(state, one.event, one.private)
    assert state is not None
    return state


def planned_by(who: Acting, kind: said.VisitKind = "visit") -> Visit:
    wanted = Plan(kind, SOON, "wang", "年度回访")
    return after(None, plan("v1", wanted, "c1", FILE, who, POLICIES, ON, NOW))


@pytest.mark.policy("S3-09")
def test_the_supervisors_plan_counts_at_once_that_of_others_once_the_supervisor_agrees() -> None:
    assert planned_by(LEADER).status == "planned"
    with pytest.raises(VisitNotOpen, match="nobody's decision"):
        decide(planned_by(LEADER), LEADER, "approve", 1, NOW, None)
    proposed = planned_by(CLERK)
    assert (proposed.status, proposed.purpose) == ("proposed", "年度回访")
    with pytest.raises(VisitNotOpen, match="proposed"):
        complete(proposed, TALK, FILE, POLICIES, ON)
    with pytest.raises(refusals.NotYourStep):
        decide(proposed, Acting(person="zhou", roles=frozenset({"specialist"})), "approve", 1, NOW, None)
    with pytest.raises(refusals.RequesterCannotApprove):
        decide(proposed, Acting(person="wang", roles=frozenset({"group_leader"})), "approve", 1, NOW, None)
    agreed = after(proposed, decide(proposed, LEADER, "approve", 1, NOW, None))
    assert agreed.status == "planned"
    with pytest.raises(refusals.ApprovalNotOpen):
        decide(agreed, LEADER, "reject", 1, NOW, "改期")
    assert after(proposed, decide(proposed, LEADER, "reject", 1, NOW, "改期")).status == "rejected"
    with pytest.raises(VisitUnknown):
        decide(None, LEADER, "approve", 1, NOW, None)


@pytest.mark.policy("S3-09")
def test_a_plan_may_go_back_for_a_correction_and_is_decided_anew_as_it_stands_then() -> None:
    proposed = planned_by(CLERK)
    with pytest.raises(refusals.ReasonMissing):
        decide(proposed, LEADER, "return", 1, NOW, " ")
    with pytest.raises(refusals.ApprovalNotOpen):
        ask_again(proposed, SOON, None, None, CLERK, POLICIES, ON, NOW)
    told = decide(proposed, LEADER, "return", 1, NOW, "改到下周")
    assert "改到下周" not in told[0].event.model_dump_json()
    returned = after(proposed, told)
    assert (returned.status, returned.because) == ("returned", "改到下周")
    with pytest.raises(VisitNotOpen, match="returned"):
        complete(returned, TALK, FILE, POLICIES, ON)
    with pytest.raises(refusals.NotYourRequest):
        ask_again(returned, SOON, None, None, LEADER, POLICIES, ON, NOW)
    assert after(returned, cancel(returned, NOW, "不去了")).status == "cancelled"
    later = SOON + timedelta(days=7)
    again = after(returned, ask_again(returned, later, None, None, CLERK, POLICIES, ON, NOW))
    assert (again.status, again.planned_for, again.staff_id, again.purpose) == ("proposed", later, "wang", "年度回访")
    assert again.because is None
    with pytest.raises(refusals.StepAlreadyDecided):
        decide(again, LEADER, "approve", 1, NOW, None)
    assert after(again, decide(again, LEADER, "approve", 2, NOW, None)).status == "planned"
    with pytest.raises(VisitNotOpen, match="nobody's decision"):
        ask_again(planned_by(LEADER), SOON, None, None, LEADER, POLICIES, ON, NOW)


def test_what_was_called_off_is_neither_decided_nor_asked_for_again() -> None:
    proposed = planned_by(CLERK)
    returned = after(proposed, decide(proposed, LEADER, "return", 1, NOW, "改到下周"))
    for state in (proposed, returned):
        gone = after(state, cancel(state, NOW, "客户出差"))
        for verdict in get_args(Verdict):
            with pytest.raises(VisitNotOpen, match="called off"):
                decide(gone, LEADER, verdict, 1, NOW, "晚了")
        with pytest.raises(VisitNotOpen, match="called off"):
            ask_again(gone, SOON, None, None, CLERK, POLICIES, ON, NOW)
        with pytest.raises(VisitNotOpen, match="cancelled"):
            cancel(gone, NOW, "再次")


def test_a_visit_is_done_or_called_off_once_and_its_words_stay_here() -> None:
    (told,) = complete(planned_by(LEADER), TALK, FILE, POLICIES, ON)
    done = after(planned_by(LEADER), [told])
    assert (done.status, done.report, done.purpose, done.outcome) == ("done", "很顺利", "年度回访", "order_expected")
    assert not {"很顺利", "预算已批"} & set(told.event.model_dump_json().split('"'))
    with pytest.raises(VisitNotOpen, match="done"):
        complete(done, TALK, FILE, POLICIES, ON)
    with pytest.raises(VisitNotOpen, match="done"):
        cancel(done, NOW, "改期")
    assert after(planned_by(CLERK), cancel(planned_by(CLERK), NOW, "改期")).status == "cancelled"


@pytest.mark.policy("S1-08")
def test_a_reception_is_recorded_with_needs_and_key_facts_also_an_unplanned_one() -> None:
    bare = Report(at=NOW, outcome="toured")
    with pytest.raises(ReportIncomplete, match="add needs, key_facts"):
        complete(planned_by(LEADER, "reception"), bare, FILE, POLICIES, ON)
    with pytest.raises(ReportIncomplete, match="add key_facts"):
        record("v2", "reception", "wang", Report(NOW, "toured", ("training",)), "c1", FILE, POLICIES, ON)
    told = record("v2", "reception", "wang", TALK, "c1", FILE, POLICIES, ON)
    came_by = after(None, told)
    assert (came_by.status, came_by.planned_for, came_by.key_facts) == ("done", None, "预算已批")
    assert told[0].policy_version is not None
    assert record("v3", "visit", "wang", bare, "c1", FILE, POLICIES, ON)[0].policy_version is None


def test_nobody_plans_to_see_whom_we_do_not_know_nor_writes_about_whom_we_forgot() -> None:
    wanted = Plan("visit", SOON, "wang")
    with pytest.raises(CustomerUnknown):
        plan("v1", wanted, "c1", None, LEADER, POLICIES, ON, NOW)
    with pytest.raises(CustomerErased):
        plan("v1", wanted, "c1", ERASED, LEADER, POLICIES, ON, NOW)
    with pytest.raises(CustomerErased):
        complete(planned_by(LEADER), TALK, ERASED, POLICIES, ON)
    assert complete(planned_by(LEADER), Report(SOON, "order_expected"), ERASED, POLICIES, ON)


@pytest.mark.policy("S3-09")
def test_adherence_counts_what_was_planned_for_the_period_and_not_called_off() -> None:
    start, end = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)

    def visit(status: str, planned_for: datetime | None, at: datetime | None = None) -> Visit:
        told = {"visit_id": "v", "customer_id": "c", "kind": "visit", "staff_id": "wang", "status": status}
        return Visit.model_validate({**told, "planned_for": planned_for, "at": at})

    visits = [
        visit("done", start, start + timedelta(hours=3)),
        visit("done", NOW, NOW + timedelta(days=2)),
        visit("planned", NOW),
        visit("cancelled", NOW),
        visit("proposed", NOW),
        visit("planned", end),
        visit("done", None, NOW),
        visit("done", None, end),
    ]
    told = adherence(visits, start, end, lambda at: at.date())
    assert (told.planned, told.kept, told.on_day, told.unplanned) == (3, 2, 1, 1)
    assert told.rate == pytest.approx(2 / 3)
    assert adherence([], start, end, lambda at: at.date()).rate is None
