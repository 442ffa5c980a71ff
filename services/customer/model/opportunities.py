"""Rules: what may be sold to a customer moves through stages until it is won or lost, for a reason (S2-05)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from services.customer.model.cared import Opportunity
from services.customer.model.customer import Customer
from services.customer.model.files import unless_erased
from shared.contracts import care as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.policy.policies import Policies

WON, LOST = "won", "lost"


class StageUnknown(Invalid):
    SLUG = "opportunity-stage-unknown"


class OpportunityUnknown(NotFound):
    SLUG = "opportunity-unknown"


class OpportunityClosed(Refusal):
    SLUG = "opportunity-closed"


@dataclass(frozen=True)
class Stages:
    """The stages of the policy, in order; the last two are won and lost."""

    names: tuple[str, ...]
    version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Stages":
        """As in force on a day. Raises LimitUnset."""
        decided = policies.value("opportunity.stages", on)
        return cls(tuple(name for name in decided.value if name not in (WON, LOST)), decided.version)

    def known(self, stage: str) -> str:
        """The stage, if it is one in which something is still open. Raises StageUnknown."""
        if stage not in self.names:
            raise StageUnknown(f"{stage!r} is no stage; opportunity.stages has {', '.join(self.names)}")
        return stage


@dataclass(frozen=True)
class Chance:
    """What somebody says of it: stage, amount in minor units, day of the expected close."""

    stage: str
    amount: int
    currency: str
    expected_close: date
    product_line: str | None = None


def open_one(
    state: Customer, opportunity_id: str, chance: Chance, words: Mapping[str, str], stages: Stages, now: datetime
) -> list[Said]:
    """Something may be sold. Raises StageUnknown, CustomerErased."""
    unless_erased(state)
    stages.known(chance.stage)
    event = said.OpportunityOpened(
        customer_id=state.customer_id,
        opportunity_id=opportunity_id,
        stage=chance.stage,
        amount=chance.amount,
        currency=chance.currency,
        product_line=chance.product_line,
        expected_close=chance.expected_close,
        at=now,
        dims=state.dims_now("manyi", {}, chance.product_line),
    )
    return [Said(event, now, words, policy_version=stages.version)]


def move(
    state: Customer, opportunity_id: str, changed: Mapping[str, Any], note: str | None, stages: Stages, now: datetime
) -> list[Said]:
    """Another stage, amount or day. Raises OpportunityUnknown, OpportunityClosed, StageUnknown."""
    one = _open(state, opportunity_id)
    fields = {
        "stage": stages.known(changed.get("stage") or one.stage),
        "amount": one.amount if changed.get("amount") is None else changed["amount"],
        "expected_close": changed.get("expected_close") or date.fromisoformat(one.expected_close),
    }
    event = said.OpportunityMoved(**_common(state, opportunity_id, one), **fields)
    if (event.stage, event.amount, event.expected_close.isoformat()) == (one.stage, one.amount, one.expected_close):
        return []
    return [Said(event, now, _noted(note), policy_version=stages.version)]


def close(
    state: Customer,
    opportunity_id: str,
    outcome: Literal["won", "lost"],
    reason: str,
    amount: int | None,
    note: str | None,
    now: datetime,
) -> list[Said]:
    """Won or lost, for a reason (a code). Raises OpportunityUnknown, OpportunityClosed."""
    one = _open(state, opportunity_id)
    common = {**_common(state, opportunity_id, one), "reason": reason, "at": now}
    common["amount"] = one.amount if amount is None else amount
    event = said.OpportunityWon(**common) if outcome == WON else said.OpportunityLost(**common)
    return [Said(event, now, _noted(note))]


def _open(state: Customer, opportunity_id: str) -> Opportunity:
    one = state.opportunities.get(opportunity_id)
    if one is None:
        raise OpportunityUnknown(f"customer {state.code} has no opportunity {opportunity_id}; list them first")
    if one.status != "open":
        raise OpportunityClosed(f"the opportunity was {one.status} on {one.closed_at}; open another one")
    return one


def _common(state: Customer, opportunity_id: str, one: Opportunity) -> dict[str, Any]:
    return {
        "customer_id": state.customer_id,
        "opportunity_id": opportunity_id,
        "before": one.stage,
        "currency": one.currency,
        "dims": state.dims_now("manyi", {}, one.product_line),
    }


def _noted(note: str | None) -> dict[str, str]:
    return {} if note is None else {"note": note}
