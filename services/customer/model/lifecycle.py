"""Rules: prospect → active → dormant → churned → won back (S3-13). Contracts count beside orders (METRICS D16)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.customer.model.customer import FOR_EVER, Customer
from shared.contracts import customer as said
from shared.contracts.decision import Said
from shared.policy.policies import Policies

AWAKENS = {"prospect": "active", "dormant": "active", "churned": "won_back"}
"""Stage → the stage after an order or a contract."""
LIVELY = ("active", "won_back")


@dataclass(frozen=True)
class Patience:
    """How long after the last order a customer is dormant, and how long after that churned."""

    dormant_after: timedelta
    churned_after: timedelta
    policy_version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Patience":
        """As in force on a day. Raises LimitUnset."""
        dormant, version = policies.span("lifecycle.dormant.after", on)
        churned, _ = policies.span("lifecycle.churned.after", on)
        return cls(timedelta(days=dormant.amount), timedelta(days=churned.amount), version)


@dataclass(frozen=True)
class Business:
    """What is left of a customer's business: the last valid order, the end of the last contract (FOR_EVER if open)."""

    ordered_at: datetime | None = None
    contracted_until: datetime | None = None


def awakened(state: Customer | None, at: datetime, cause: str, source: str) -> list[Said]:
    """What an order or a contract at this time makes of the stage; one from before the last known changes nothing."""
    after = AWAKENS.get(state.lifecycle) if state is not None else None
    if state is None or after is None or (state.ordered_at is not None and at <= state.ordered_at):
        return []
    return [_changed(state, after, cause, at, source, None)]


def aged(state: Customer | None, business: Business, patience: Patience, now: datetime) -> list[Said]:
    """What the passing of time makes of the stage: nothing, dormant or churned. Repeatable."""
    if state is None or state.merged_into or state.lifecycle not in (*LIVELY, "dormant"):
        return []
    quiet_from = _quiet_from(state, business, patience)
    if quiet_from is None or now < quiet_from:
        return []
    stage = "churned" if now >= quiet_from + patience.churned_after else "dormant"
    if stage == state.lifecycle:
        return []
    at = quiet_from + (patience.churned_after if stage == "churned" else timedelta(0))
    return [_changed(state, stage, "time", at, "manyi", patience.policy_version)]


def _quiet_from(state: Customer, business: Business, patience: Patience) -> datetime | None:
    if business.contracted_until == FOR_EVER:
        return None
    ends = [business.contracted_until] if business.contracted_until else []
    last = business.ordered_at or (None if ends else state.contact_at)
    ends += [last + patience.dormant_after] if last else []
    return max(ends, default=None)


def _changed(state: Customer, after: str, cause: str, at: datetime, source: str, version: str | None) -> Said:
    event = said.CustomerLifecycleChanged(
        customer_id=state.customer_id,
        before=state.lifecycle,
        after=after,
        cause=cause,
        dims=state.dims_now(source, {}, None),
    )
    return Said(event, at, policy_version=version)
