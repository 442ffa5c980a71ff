"""A plan to look after a customer: made, adjusted, taken step by step, reviewed; and what is told as time passes."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.file_after import evolve
from services.customer.model.open_timers import MAINTENANCE
from services.customer.model.plans import (
    MOST_STEPS,
    Draft,
    PlannedForThePast,
    PlanTooLong,
    PlanUnknown,
    StepSettled,
    StepUnknown,
    Wanted,
    adjust,
    plan,
    review,
    take,
)
from shared.contracts import care as said
from shared.contracts.decision import Said, Scene
from tests.unit.test_policy_packs import POLICIES

SHANGHAI = ZoneInfo("Asia/Shanghai")
DEADLINES = Deadlines(POLICIES, SHANGHAI)
START = datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)
FILE = Customer(customer_id="c", code="C-1", grade="A")


def wanted(day: date, *needs: str) -> Wanted:
    due = DEADLINES.due(START, day)
    return Wanted("visit", "现场校准", needs, DEADLINES.target(MAINTENANCE, START, due))


def draft(*days: date) -> Draft:
    return Draft("maintenance", "上半年", [wanted(day, "calibration") for day in days], DEADLINES.review(START), "d")


def after(state: Customer, sentences: Sequence[Said]) -> Customer:
    for one in sentences:
        state = evolve(state, one.event, one.private)
    return state


PLANNED = after(FILE, plan(FILE, "p", draft(date(2026, 3, 6), date(2026, 4, 10)), START))


@pytest.mark.policy("S3-02", "S3-17")
def test_a_plan_has_steps_that_answer_needs_and_reviews_that_recur() -> None:
    made = PLANNED.plans["p"]
    assert [(one.step, one.needs, one.status) for one in made.steps] == [
        ("1", ["calibration"], "open"),
        ("2", ["calibration"], "open"),
    ]
    assert made.words == {"1": "现场校准", "2": "现场校准"}
    assert made.next_at == datetime(2026, 3, 7, tzinfo=SHANGHAI)
    assert made.review_due_at == datetime(2026, 9, 3, tzinfo=SHANGHAI), "six months by default"
    assert sorted(PLANNED.timers) == ["p:1", "p:2", "p:review"]
    assert plan(PLANNED, "p", draft(date(2026, 3, 6)), START) == [], "planned once"


@pytest.mark.policy("S3-14")
def test_it_follows_what_changes_and_keeps_track() -> None:
    changed = after(PLANNED, adjust(PLANNED, "p", [wanted(date(2026, 5, 8), "training")], ["2"], "需求变化", START))
    steps = changed.plans["p"].steps
    assert [(one.step, one.status) for one in steps] == [("1", "open"), ("2", "dropped"), ("3", "open")]
    assert sorted(changed.timers) == ["p:1", "p:3", "p:review"]
    done = after(changed, take(changed, "p", "1", "已校准", datetime(2026, 3, 6, 18, tzinfo=SHANGHAI)))
    late = after(done, take(done, "p", "3", None, datetime(2026, 5, 9, tzinfo=SHANGHAI)))
    assert [(one.status, one.late) for one in late.plans["p"].steps] == [
        ("done", False),
        ("dropped", False),
        ("done", True),
    ]
    assert (late.plans["p"].next_at, late.plans["p"].notes) == (None, ["需求变化", "已校准"])
    for refused, step in ((StepSettled, "2"), (StepSettled, "1"), (StepUnknown, "9")):
        with pytest.raises(refused):
            take(done, "p", step, None, START)
    with pytest.raises(PlanUnknown):
        take(done, "q", "1", None, START)


@pytest.mark.policy("S3-05")
def test_the_relation_is_weighed_again_and_again() -> None:
    then = datetime(2026, 6, 1, 9, tzinfo=SHANGHAI)
    weighed = after(PLANNED, review(PLANNED, "p", 82, "交付及时", DEADLINES.review(then), then))
    assert [(one.score, one.at) for one in weighed.plans["p"].reviews] == [(82, then)]
    assert weighed.timers["p:review"].target.due_at == datetime(2026, 12, 2, tzinfo=SHANGHAI)


@pytest.mark.policy("S3-02")
def test_steps_and_reviews_are_warned_of_and_told_when_they_are_late() -> None:
    def told(state: Customer, now: datetime) -> list[tuple[str, str | None]]:
        found = []
        for one in DEADLINES.tell(state, Scene(now)):
            assert isinstance(one.event, said.MaintenanceWarned | said.MaintenanceMissed)
            found.append((type(one.event).__name__, one.event.step))
        return found

    assert told(PLANNED, datetime(2026, 3, 4, 23, tzinfo=SHANGHAI)) == []
    soon = datetime(2026, 3, 5, tzinfo=SHANGHAI)
    assert told(PLANNED, soon) == [("MaintenanceWarned", "1")]
    warned = after(PLANNED, DEADLINES.tell(PLANNED, Scene(soon)))
    assert told(warned, datetime(2026, 3, 7, tzinfo=SHANGHAI)) == [("MaintenanceMissed", "1")]
    much_later = told(warned, datetime(2026, 12, 1, tzinfo=SHANGHAI))
    assert much_later == [("MaintenanceMissed", step) for step in ("1", "1", "2", "2", None, None)]


def test_no_step_is_planned_for_the_past_nor_without_end() -> None:
    with pytest.raises(PlannedForThePast):
        plan(FILE, "p", draft(date(2026, 2, 27)), START)
    with pytest.raises(PlanTooLong):
        plan(FILE, "p", draft(*[date(2026, 3, 6)] * (MOST_STEPS + 1)), START)
