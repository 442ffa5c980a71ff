"""Promises to a customer and the longest silence: when they are due, what is told, and the arithmetic."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.customer.model.cadence import Cadence
from services.customer.model.commitments import (
    CommitmentSettled,
    CommitmentUnknown,
    PromisedForThePast,
    give_up,
    keep,
    promise,
)
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines, before
from services.customer.model.erasure import erase
from services.customer.model.file_after import evolve
from services.customer.model.files import CustomerErased
from services.customer.model.open_timers import COMMITMENT
from shared.contracts import care as said
from shared.contracts.customer import InteractionLogged
from shared.contracts.decision import Said, Scene
from shared.policy.declared import Span, SpanUnit
from shared.policy.policies import UnitMistaken
from tests.unit.test_policy_packs import POLICIES

SHANGHAI = ZoneInfo("Asia/Shanghai")
DEADLINES = Deadlines(POLICIES, SHANGHAI)
FRIDAY = datetime(2026, 10, 9, 10, tzinfo=SHANGHAI)
THREE_DAYS = Span(amount=3, unit="working_days")
FILE = Customer(customer_id="c", code="C-1", grade="A")


def local(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=SHANGHAI)


def after(state: Customer, sentences: Sequence[Said]) -> Customer:
    for one in sentences:
        state = evolve(state, one.event, one.private)
    return state


def promised(last: Span | date = THREE_DAYS) -> Customer:
    due = DEADLINES.due(FRIDAY, last)
    return after(
        FILE, promise(FILE, "p", "寄出证书", due, DEADLINES.target(COMMITMENT, FRIDAY, due), "staff-1", FRIDAY)
    )


def told(state: Customer, now: datetime) -> list[tuple[str, int, str | None]]:
    found = []
    for one in DEADLINES.tell(state, Scene(now)):
        level = one.event.level if isinstance(one.event, said.CommitmentMissed) else -1
        found.append((type(one.event).__name__, level, getattr(one.event, "role", None)))
    return found


@pytest.mark.policy("S3-23")
def test_a_promise_is_due_by_the_business_calendar_and_explains_it() -> None:
    """METRICS: three working days from Friday 10-09 end with 10-13; Saturday 10-10 is worked."""
    one = promised().commitments["p"]
    assert one.due_at == local(10, 14)
    assert "10-10" in one.why["en"]
    assert "第 3 个工作日 10-13" in one.why["zh"]
    assert promised(date(2026, 10, 18)).commitments["p"].due_at == local(10, 20), "a Sunday gives way to Monday"


@pytest.mark.policy("S3-23")
def test_it_is_warned_of_missed_and_told_level_by_level_once_each() -> None:
    state = promised()
    assert told(state, local(10, 12, 23)) == []
    warned = after(state, DEADLINES.tell(state, Scene(local(10, 13))))
    assert told(state, local(10, 13)) == [("CommitmentWarned", -1, None)]
    assert told(warned, local(10, 13, 1)) == []
    late = local(10, 16)
    assert told(warned, late) == [
        ("CommitmentMissed", 0, None),
        ("CommitmentMissed", 1, "group_leader"),
        ("CommitmentMissed", 2, "manager"),
    ]
    assert told(state, late) == told(warned, late), "who was away warns of nothing that is overdue"
    done = after(warned, DEADLINES.tell(warned, Scene(late)))
    assert told(done, late + timedelta(days=30)) == []
    assert done.timer_at is None


@pytest.mark.policy("S3-23")
def test_it_is_kept_in_time_kept_late_or_broken_once() -> None:
    state = promised()
    in_time = after(state, keep(state, "p", None, local(10, 13, 23)))
    assert (in_time.commitments["p"].status, in_time.commitments["p"].late, in_time.timers) == ("kept", False, {})
    late = after(state, keep(state, "p", "补寄", local(10, 14)))
    assert (late.commitments["p"].late, late.commitments["p"].note) == (True, "补寄")
    broken = after(state, give_up(state, "p", "out_of_stock", None, FRIDAY))
    assert (broken.commitments["p"].status, broken.commitments["p"].reason) == ("broken", "out_of_stock")
    with pytest.raises(CommitmentSettled):
        keep(broken, "p", None, FRIDAY)
    with pytest.raises(CommitmentUnknown):
        keep(state, "q", None, FRIDAY)


def test_nothing_is_promised_for_the_past_or_to_somebody_erased() -> None:
    with pytest.raises(PromisedForThePast):
        promised(date(2026, 9, 28))
    state = promised()
    erased = after(state, erase(state, None, "r", FRIDAY, ["c"]))
    assert erased.timers == {}
    due = DEADLINES.due(FRIDAY, THREE_DAYS)
    with pytest.raises(CustomerErased):
        promise(erased, "q", "x", due, DEADLINES.target(COMMITMENT, FRIDAY, due), None, FRIDAY)


@pytest.mark.policy("S1-17", "S3-24")
def test_the_longest_silence_is_that_of_the_grade_and_rolls_over_days_off() -> None:
    """METRICS: a last day in the holidays of 10-01…10-07 gives way to 10-08."""
    cadence = Cadence.of(POLICIES, date(2026, 11, 23))
    spoken = FILE.model_copy(update={"contacted_at": datetime(2026, 9, 3, 2, tzinfo=UTC)})
    due = cadence.due(spoken)
    assert due is not None
    assert due.local == "2026-10-08 24:00"
    assert "10-03" in due.explained()
    assert spoken.contacted_at is not None
    assert spoken.contacted_at < cadence.silent_before(due.at)["A"], "whoever is overdue is among those looked at"
    assert cadence.due(spoken.model_copy(update={"grade": None})) is None
    assert cadence.due(FILE) is None
    other = cadence.due(spoken.model_copy(update={"grade": "B"}))
    assert other is not None
    assert other.local == "2026-11-02 24:00"


@pytest.mark.parametrize("unit", ["calendar_days", "working_days", "months"])
def test_whoever_is_overdue_is_looked_at_in_whatever_unit_the_silence_is_counted(unit: SpanUnit) -> None:
    cadence = replace(Cadence.of(POLICIES, date(2026, 11, 23)), longest={"A": Span(amount=2, unit=unit)})
    for day in range(1, 28):
        spoken = local(1, day, 9)
        due = cadence.due(FILE.model_copy(update={"contacted_at": spoken}))
        assert due is not None
        assert spoken < cadence.silent_before(due.at)["A"]


def test_a_warning_may_come_calendar_days_before_but_not_hours() -> None:
    calendar, _ = DEADLINES.calendar(FRIDAY)
    due = DEADLINES.due(FRIDAY, date(2026, 10, 12)).at
    assert before(calendar, due, Span(amount=2, unit="calendar_days")) == local(10, 11)
    assert before(calendar, due, Span(amount=2, unit="working_days")) == local(10, 10), "Sunday is off, Saturday worked"
    with pytest.raises(UnitMistaken):
        before(calendar, due, Span(amount=2, unit="hours"))


def test_the_latest_conversation_counts_in_whatever_order_they_are_told() -> None:
    state = FILE
    for day in (3, 9, 5):
        event = InteractionLogged(customer_id="c", interaction_id=str(day), kind="call", at=local(9, day))
        state = evolve(state, event, {})
    assert state.contacted_at == local(9, 9)
