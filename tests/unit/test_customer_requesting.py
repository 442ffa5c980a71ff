"""Rules of requests for money: who decides on how much, what a budget leaves, what a deadline does."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.customer.model import budgets, spending
from services.customer.model.budgets import Budget, BudgetExhausted, budget_of, quarter_of
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerUnknown
from services.customer.model.requesting import (
    HandedOverAlready,
    NotApproved,
    NotARecipient,
    OccasionUnknown,
    RequestUnknown,
    SettledAlready,
    SpentTooMuch,
    Wanted,
    ask,
    decide,
    expire,
    hand_over,
    let_decide,
    settle,
    withdraw,
)
from services.customer.model.spending import Spending
from shared.contracts import spending as said
from shared.contracts.decision import Said
from shared.policy.approvals import refusals
from shared.policy.approvals.acting import Acting
from shared.policy.policies import LimitUnset, Policies
from tests.support.limits import EXPENSES, GIFTS, limited

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
POLICIES = limited({**GIFTS, **EXPENSES})
FILES: Mapping[str, Customer | None] = {
    "c1": Customer(customer_id="c1", code="K-1", grade="A"),
    "c2": Customer(customer_id="c2", code="K-2"),
    "gone": Customer(customer_id="gone", code="K-3", merged_into="c1"),
    "nobody": None,
}
MANAGER = Acting(person="li", roles=frozenset({"manager"}))


def acting(person: str, *roles: str) -> Acting:
    return Acting(person=person, roles=frozenset(roles))


def after(state: Spending | None, told: Sequence[Said]) -> Spending:
    for one in told:
        state = spending.evolve(state, one.event, one.private)
    assert state is not None
    return state


def wanted(amount: int, kind: said.Kind = "gift", *customers: str, **more: Any) -> Wanted:
    return Wanted("r1", kind, amount, customers or (("c1",) if kind == "gift" else ()), **more)


def asked(amount: int, kind: said.Kind = "gift", policies: Policies = POLICIES) -> Spending:
    return after(None, ask(wanted(amount, kind), FILES, "wang", policies, ON, NOW))


def approved(amount: int = 50_000) -> Spending:
    state = asked(amount)
    return after(state, decide(state, MANAGER, "approve", (0, 1), NOW, None))


@pytest.mark.policy("S0-40")
@pytest.mark.parametrize(
    ("amount", "role"),
    [(19_999, "specialist"), (20_000, "manager"), (100_000, "manager"), (100_001, "director")],
)
def test_the_amount_says_who_decides_on_a_gift(amount: int, role: str) -> None:
    assert asked(amount).approval.route.steps == (role,)


@pytest.mark.policy("S0-40", "S3-06")
def test_an_unset_limit_refuses_and_names_itself() -> None:
    without = limited({"gift.limit.specialist": 20_000})
    with pytest.raises(LimitUnset, match=r"gift\.limit\.manager is not set"):
        ask(wanted(20_000), FILES, "wang", without, ON, NOW)
    with pytest.raises(LimitUnset, match=r"expense\.limit\.supervisor is not set"):
        ask(wanted(1, "expense"), FILES, "wang", without, ON, NOW)
    with pytest.raises(LimitUnset, match=r"gift\.budget\.quarter is not set"):
        budgets.change(None, "gift", "r1", 1, without, ON, NOW)


def test_a_gift_goes_to_customers_there_are_on_an_occasion_of_the_policy() -> None:
    for stranger in ("nobody", "gone"):
        with pytest.raises(CustomerUnknown):
            ask(wanted(1_000, "gift", "c1", stranger), FILES, "wang", POLICIES, ON, NOW)
    with pytest.raises(OccasionUnknown, match="mid_autumn"):
        ask(wanted(1_000, occasion="payday"), FILES, "wang", POLICIES, ON, NOW)
    (told,) = ask(wanted(1_000, occasion="mid_autumn", note="月饼"), FILES, "wang", POLICIES, ON, NOW)
    assert isinstance(told.event, said.SpendingRequested)
    assert told.event.dims["grade"] == "A"
    assert "月饼" not in told.event.model_dump_json()
    assert told.private["note"] == "月饼"
    assert told.policy_version is not None
    assert "ours/OURS/1" in told.policy_version


def test_nobody_decides_on_his_own_request_and_a_no_needs_its_reason() -> None:
    state = asked(50_000)
    with pytest.raises(refusals.RequesterCannotApprove):
        decide(state, acting("wang", "manager"), "approve", (0, 1), NOW, None)
    with pytest.raises(refusals.NotYourStep):
        decide(state, acting("zhou", "specialist"), "approve", (0, 1), NOW, None)
    with pytest.raises(refusals.ReasonMissing):
        decide(state, MANAGER, "reject", (0, 1), NOW, None)
    with pytest.raises(refusals.StepAlreadyDecided):
        decide(state, MANAGER, "approve", (1, 1), NOW, None)
    with pytest.raises(refusals.NotYourRequest):
        withdraw(state, MANAGER, NOW, None)
    with pytest.raises(RequestUnknown):
        decide(None, MANAGER, "approve", (0, 1), NOW, None)


def test_a_step_is_decided_by_whom_its_holder_lets_decide_for_a_time() -> None:
    state, until = asked(50_000), NOW + timedelta(days=3)
    zhou = acting("zhou", "specialist")
    with pytest.raises(refusals.HandOverRefused):
        let_decide(state, MANAGER, "wang", until, (0, 1), NOW, "出差")
    with pytest.raises(refusals.NotYourStep):
        let_decide(state, zhou, "sun", until, (0, 1), NOW, "出差")
    handed = after(state, let_decide(state, MANAGER, "zhou", until, (0, 1), NOW, "出差"))
    assert handed.claim == 50_000
    with pytest.raises(refusals.NotYourStep):
        decide(handed, zhou, "approve", (0, 1), until, None)
    (step, _) = decide(handed, zhou, "approve", (0, 1), NOW, None)
    assert isinstance(step.event, said.SpendingStepApproved)
    assert (step.event.by, step.event.on_behalf_of) == ("zhou", "li")


def test_what_is_not_spent_takes_nothing_from_the_budget() -> None:
    state = asked(50_000)
    assert state.claim == 50_000
    assert after(state, decide(state, MANAGER, "reject", (0, 1), NOW, "超预算")).claim == 0
    assert after(state, withdraw(state, acting("wang"), NOW, None)).claim == 0
    settled = after(approved(), settle(approved(), 48_000, NOW))
    assert (settled.claim, settled.status) == (48_000, "settled")
    with pytest.raises(SettledAlready):
        settle(settled, 1, NOW)
    with pytest.raises(SpentTooMuch, match="50000 minor units are approved"):
        settle(approved(), 50_001, NOW)
    with pytest.raises(NotApproved):
        settle(state, 1, NOW)


def test_a_gift_is_handed_over_once_it_is_approved_and_once_to_each() -> None:
    with pytest.raises(NotApproved, match="pending"):
        hand_over(asked(50_000), "c1", NOW)
    with pytest.raises(NotARecipient):
        hand_over(approved(), "c2", NOW)
    state = after(approved(), hand_over(approved(), "c1", NOW))
    assert (state.status, state.handed_over) == ("handed_over", {"c1": NOW})
    with pytest.raises(HandedOverAlready):
        hand_over(state, "c1", NOW)


@pytest.mark.policy("S3-22")
def test_a_drive_is_one_request_decided_by_its_total() -> None:
    told = ask(wanted(40_000, "gift", "c1", "c2"), FILES, "wang", POLICIES, ON, NOW)
    state = after(None, told)
    assert state.approval.route.steps == ("manager",)
    assert spending.key_of(state.customers, "r1") == "r1"
    state = after(state, decide(state, MANAGER, "approve", (0, 1), NOW, None))
    state = after(state, hand_over(state, "c1", NOW))
    assert state.status == "approved"
    assert after(state, hand_over(state, "c2", NOW)).status == "handed_over"


@pytest.mark.policy("S0-31")
def test_procurement_takes_three_signatures_in_three_working_days_then_it_escalates_once() -> None:
    state = asked(900_000, "purchase")
    assert state.approval.route.steps == ("dept_head", "finance", "ceo")
    assert state.budget is None
    due = datetime(2026, 10, 13, 16, tzinfo=UTC)
    assert state.timer_at == due
    assert expire(state, due - timedelta(seconds=1)) == []
    (told,) = expire(state, due)
    assert isinstance(told.event, said.SpendingEscalated)
    assert told.event.to == "coo"
    late = after(state, [told])
    assert (late.timer_at, expire(late, due), late.status) == (None, [], "pending")


@pytest.mark.policy("S0-32")
def test_an_emergency_is_ratified_in_time_or_a_violation_and_spent_either_way() -> None:
    with pytest.raises(refusals.NoEmergencyPath):
        ask(wanted(1_000, "purchase"), FILES, "wang", POLICIES, ON, NOW, acting("zhou", "specialist"))
    with pytest.raises(refusals.RequesterCannotApprove):
        ask(wanted(1_000, "purchase"), FILES, "li", POLICIES, ON, NOW, MANAGER)
    state = after(None, ask(wanted(1_000, "purchase"), FILES, "wang", POLICIES, ON, NOW, MANAGER))
    assert (state.status, state.approval.authorised_by) == ("pending_ratification", "li")
    due = state.timer_at
    assert due is not None
    lapsed = after(state, expire(state, due))
    assert (lapsed.status, lapsed.claim) == ("violation", 1_000)
    for number, role in enumerate(("dept_head", "finance", "ceo")):
        state = after(state, decide(state, acting(f"p{number}", role), "approve", (number, 1), NOW, None))
    assert state.status == "ratified"


def test_a_quarter_is_that_of_the_day() -> None:
    assert [quarter_of(date(2026, month, 1)) for month in (1, 3, 4, 12)] == ["2026-Q1", "2026-Q1", "2026-Q2", "2026-Q4"]
    assert (budget_of("gift", ON), budget_of("purchase", ON)) == ("gift-2026-Q4", None)


@pytest.mark.policy("S0-40", "S3-06")
def test_a_budget_refuses_what_is_more_than_is_left_and_says_how_much_that_is() -> None:
    state = Budget(budget_id="expense-2026-Q4", kind="expense", quarter="2026-Q4", reserved=150_001)
    with pytest.raises(BudgetExhausted, match=r"49999 of 200000 .* expense\.budget\.quarter in 2026-Q4"):
        budgets.change(state, "expense", "r1", 50_000, POLICIES, ON, NOW)
    assert budgets.change(state, "expense", "r1", 0, POLICIES, ON, NOW) == []


@given(some.lists(some.tuples(some.integers(1, 200_000), some.booleans()), max_size=40))
def test_a_budget_is_never_exceeded_and_what_is_given_back_is_there_again(requests: list[tuple[int, bool]]) -> None:
    state: Budget | None = None
    held = 0
    for amount, given_back in requests:
        fits = held + amount <= GIFTS["gift.budget.quarter"]
        try:
            told = budgets.change(state, "gift", "r", amount, POLICIES, ON, NOW)
        except BudgetExhausted:
            assert not fits
            continue
        assert fits
        if given_back:
            state = budgets.evolve(state, told[0].event, {})
            told = budgets.change(state, "gift", "r", -amount, POLICIES, ON, NOW)
        held += 0 if given_back else amount
        state = budgets.evolve(state, told[0].event, {})
        assert state.reserved == held
