"""Budgets of a quarter: requests draw on them, and none takes more than is left (S0-40, S3-06)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from shared.contracts import spending as said
from shared.contracts.decision import Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.spending import Kind
from shared.contracts.state import State
from shared.policy.policies import Policies

LIMITS: Mapping[Kind, str] = {"gift": "gift.budget.quarter", "expense": "expense.budget.quarter"}
"""What is asked for → the setting with its budget; procurement has none."""
CURRENCY = "CNY"
"""The packs' amounts are in 分."""


class BudgetExhausted(Refusal):
    SLUG = "budget-exhausted"


class Budget(State):
    """What is taken from the budget of one kind in one quarter, in minor units."""

    budget_id: str
    kind: Kind
    quarter: str
    reserved: int = 0


def evolve(_state: Budget | None, event: Event, _private: Mapping[str, Any]) -> Budget:
    """Each event says how much is taken in all."""
    match event:
        case said.BudgetChanged():
            return Budget(budget_id=event.budget_id, kind=event.kind, quarter=event.quarter, reserved=event.reserved)
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a budget")


def quarter_of(day: date) -> str:
    """The quarter of a day, such as `2026-Q4`."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def budget_of(kind: Kind, day: date) -> str | None:
    """The budget that a request of this day draws on; None where there is none to keep within."""
    return f"{kind}-{quarter_of(day)}" if kind in LIMITS else None


def change(
    state: Budget | None, kind: Kind, request_id: str, amount: int, policies: Policies, on: date, now: datetime
) -> list[Said]:
    """Take an amount, or give it back (below 0). Raises BudgetExhausted, and LimitUnset while no budget is set."""
    if amount == 0:
        return []
    quarter, reserved = (quarter_of(on), 0) if state is None else (state.quarter, state.reserved)
    version = None
    if amount > 0:
        limit = policies.value(LIMITS[kind], on)
        version = limit.version
        if reserved + amount > limit.value:
            left = max(limit.value - reserved, 0)
            raise BudgetExhausted(
                f"{left} of {limit.value} minor units are left of {LIMITS[kind]} in {quarter}: ask for no more, "
                "wait for the next quarter, or have a new version of the policy raise it"
            )
    event = said.BudgetChanged(
        budget_id=f"{kind}-{quarter}",
        kind=kind,
        quarter=quarter,
        request_id=request_id,
        change=amount,
        reserved=reserved + amount,
        currency=CURRENCY,
    )
    return [Said(event, now, policy_version=version)]
