"""What a customer has bought, how often and how it was paid, and what the relation is worth (S0-09, S2-11)."""

from typing import Any

from fastapi import APIRouter

from services.customer.desk import STORED, Desk
from services.customer.model.grading import counted_from
from services.customer.model.parts import Purchase
from services.customer.model.worth import Lifetime, Terms, Trade, lifetime, trade
from services.customer.views.customer_file import Reading, Shown, owners_of, read_file
from shared.contracts.envelope import Code, Moment
from shared.plumbing.journal import Ledger
from shared.policy.policies import LimitUnset

MOST_ORDERS = 5_000
"""The last ones; as many as a merge moves."""


class Recent(Shown):
    """Recency, frequency and money of the time `rfm.window`, from which the grade is computed."""

    recency_days: int
    frequency: int
    money: dict[str, int]


class ShownLifetime(Shown):
    """Customer lifetime value (客户终身价值) and its two parts, in minor units; `tier` by `clv.tiers`."""

    value: int
    past: int
    projected: int
    currency: str
    years: float
    tier: str | None = None
    policy_version: str


class Worth(Shown):
    """Amounts in minor currency units by currency. Without `lifetime`, `unset` names the setting that it takes."""

    customer_id: str
    orders: int
    void: int
    net: dict[str, int]
    unpaid: dict[str, int]
    first_order_at: Moment | None = None
    last_order_at: Moment | None = None
    gap_days: float | None = None
    recent: Recent | None = None
    lifetime: ShownLifetime | None = None
    unset: str | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/{customer_id}/worth."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get(
        "/{customer_id}/worth",
        response_model_exclude_none=True,
        summary="Orders, payment, recency, frequency and money, and the lifetime value",
    )
    async def worth(customer_id: Code, permit: Reading) -> Worth:
        loaded, _ = await read_file(ledger, customer_id, permit)
        state, now = loaded.state, desk.clock.now()
        if state is None:
            raise ValueError("a file that was read exists")
        cursor = ledger.database["purchases"].find({"owner": {"$in": owners_of(loaded)}})
        documents = await cursor.sort("occurred_at", -1).limit(MOST_ORDERS).to_list()
        parts = await ledger.read_parts(STORED, "purchases", documents)
        since = counted_from(desk.policies, desk.day(now), desk.zone)
        found = trade([one for one in parts if isinstance(one, Purchase)], since, now)
        try:
            terms = Terms.of(desk.policies, desk.day(now))
        except LimitUnset as unset:
            return _worth(customer_id, found, {"unset": unset.key})
        one = lifetime(found, state.grade, state.lifecycle, terms, now)
        return _worth(customer_id, found, {} if one is None else {"lifetime": _lifetime(one, terms)})

    return router


def _worth(customer_id: str, found: Trade, more: dict[str, Any]) -> Worth:
    told = {"first_order_at": found.first_at, "last_order_at": found.last_at, **more}
    recent = {"recent": None if found.recent is None else vars(found.recent)}
    return Worth.model_validate({**vars(found), **recent, **told, "customer_id": customer_id})


def _lifetime(one: Lifetime, terms: Terms) -> dict[str, Any]:
    return {**vars(one), "value": one.value, "currency": terms.currency, "policy_version": terms.version}
