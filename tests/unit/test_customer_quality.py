"""Scores of a file from what the policies declare, and cleaning tasks that end with their problems."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.customer.model.cleaning import ask, close
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.erasure import erase
from services.customer.model.file_after import evolve
from services.customer.model.filing import Filing
from services.customer.model.open_timers import CLEANING
from services.customer.model.quality import Yardstick, is_void, problems_of, quality, verify
from shared.contracts import quality as said
from shared.contracts.decision import Said, Scene
from tests.unit.test_policy_packs import POLICIES

SHANGHAI = ZoneInfo("Asia/Shanghai")
ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 10, tzinfo=SHANGHAI)
MEASURE = Yardstick.of(POLICIES, Filing.of(POLICIES, ON), ON, SHANGHAI)
DEADLINES = Deadlines(POLICIES, SHANGHAI)
WHOLE = Customer(
    customer_id="c",
    code="C-1",
    owner_id="u-1",
    name="王芳",
    company="华东精密",
    phone="13800138000",
    needs="校准",
    lawful_basis="contract",
    industry="仪器",
    size="50",
    channel="visit",
    contact_at=datetime(2026, 10, 8, 17, tzinfo=UTC),
)


def after(state: Customer, sentences: Sequence[Said]) -> Customer:
    for one in sentences:
        state = evolve(state, one.event, one.private)
    return state


def told(state: Customer, now: datetime) -> list[str]:
    return [type(one.event).__name__ for one in DEADLINES.tell(state, Scene(now))]


def cleaning(state: Customer) -> Customer:
    span, _ = POLICIES.span("cleaning.task.within", ON)
    due = DEADLINES.due(NOW, span)
    target = DEADLINES.target(CLEANING, NOW, due)
    return after(state, ask(state, "t", problems_of(state, MEASURE), "group_leader", due, target, NOW))


@pytest.mark.policy("S3-25", "S1-05", "S2-18")
def test_a_file_has_three_scores_and_says_what_is_wrong() -> None:
    whole = quality(WHOLE, MEASURE)
    assert (whole.completeness, whole.validity, whole.timeliness, whole.score) == (100, 100, 100, 100)
    assert whole.problems == ()
    poor = WHOLE.model_copy(update={"phone": "12", "industry": None, "size": None})
    found = quality(poor, MEASURE)
    # Of name, contact, company, needs, lawful_basis, contact_person, industry and size two are missing; of kind,
    # channel, lawful_basis and phone one is malformed.
    assert (found.completeness, found.validity, found.timeliness) == (75, 75, 100)
    assert found.score == (75 * 40 + 75 * 30 + 100 * 30) // 100
    assert found.problems == ("missing:industry", "missing:size", "malformed:phone")


@pytest.mark.policy("S1-06")
@pytest.mark.parametrize(
    ("last", "stale", "timeliness"),
    [
        (datetime(2025, 10, 8, 15, 59, tzinfo=UTC), True, 0),
        (datetime(2025, 10, 8, 16, 0, tzinfo=UTC), False, 0),
        (datetime(2026, 4, 9, 0, 0, tzinfo=UTC), False, 50),
    ],
)
def test_a_file_is_stale_when_nobody_verified_it_for_the_policys_time(
    last: datetime, stale: bool, timeliness: int
) -> None:
    old = WHOLE.model_copy(update={"contact_at": last})
    assert quality(old, MEASURE).timeliness == timeliness
    assert ("stale" in problems_of(old, MEASURE)) is stale
    again = after(old, verify(old, NOW))
    assert again.verified_at == NOW
    assert problems_of(again, MEASURE) == []


@pytest.mark.policy("S2-20")
def test_a_task_is_asked_once_told_level_by_level_and_closed_when_nothing_is_wrong() -> None:
    poor = cleaning(WHOLE.model_copy(update={"phone": "12"}))
    task = poor.cleanings["t"]
    assert (task.problems, task.responsible, task.role) == (["malformed:phone"], "u-1", "group_leader")
    # Ten working days from Friday 2026-10-09; Saturday 10-10 is worked.
    assert task.due_at == datetime(2026, 10, 23, tzinfo=SHANGHAI)
    assert cleaning(poor) == poor
    assert told(poor, datetime(2026, 10, 20, tzinfo=SHANGHAI)) == []
    assert told(poor, datetime(2026, 10, 21, 1, tzinfo=SHANGHAI)) == ["CleaningWarned"]
    overdue = datetime(2026, 10, 23, 1, tzinfo=SHANGHAI)
    assert told(poor, overdue) == ["CleaningMissed"]
    missed = after(poor, DEADLINES.tell(poor, Scene(overdue)))
    assert told(missed, overdue) == []
    levels = [one.event for one in DEADLINES.tell(missed, Scene(datetime(2026, 12, 1, tzinfo=SHANGHAI)))]
    assert [one.role for one in levels if isinstance(one, said.CleaningMissed)] == ["group_leader", "director"]

    assert close(missed, problems_of(missed, MEASURE), False, overdue) == []
    right = missed.model_copy(update={"phone": "13800138000"})
    closed = after(right, close(right, problems_of(right, MEASURE), is_void(right), overdue))
    assert (closed.cleanings["t"].status, closed.cleanings["t"].late, closed.timers) == ("corrected", True, {})
    assert close(closed, [], False, overdue) == []


@pytest.mark.policy("S2-20")
def test_a_task_of_an_erased_file_is_void() -> None:
    poor = cleaning(WHOLE.model_copy(update={"phone": "12"}))
    gone = after(poor, erase(poor, None, "r", NOW, ["c"]))
    assert problems_of(gone, MEASURE) == []
    closed = after(gone, close(gone, [], is_void(gone), NOW))
    assert closed.cleanings["t"].status == "void"
