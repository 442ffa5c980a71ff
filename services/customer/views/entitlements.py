"""What a customer is entitled to, and what became of it (S3-16, S3-21)."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pymongo import DESCENDING

from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.entitled import Entitlement
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from shared.contracts.envelope import Code, Moment
from shared.plumbing.journal import Ledger, Loaded
from shared.policy.permission import masking
from shared.policy.permission.masking import masked

ENTITLEMENT_MASKS = {**MASKS, "reason": masking.hidden, "usedFor": masking.hidden}


class ShownEntitlement(Shown):
    """`percent` off, once, before `expiresAt`; active, used, revoked or expired."""

    entitlement_id: str
    kind: str
    percent: int
    status: str
    granted_at: Moment
    expires_at: Moment
    granted_by: str | None = None
    purchase_id: str | None = None
    reason: str | None = None
    used_at: Moment | None = None
    used_for: str | None = None


def as_entitlement(desk: Desk, entitlement_id: str, loaded: Loaded[Customer]) -> dict[str, Any]:
    """One of a file as JSON."""
    if loaded.state is None:
        raise ValueError("a rule that answered has a file")
    return entitlement(entitlement_id, loaded.state.entitlements[entitlement_id], desk.clock.now())


def entitlement(entitlement_id: str, part: Entitlement, now: datetime) -> dict[str, Any]:
    """One as JSON, with what it is worth now."""
    told = part.model_dump(exclude={"revoked_at"})
    shown = ShownEntitlement(entitlement_id=entitlement_id, status=part.status(now), **told)
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/{customer_id}/entitlements."""
    router = APIRouter(prefix="/v1/customers", tags=["entitlements"])

    @router.get(
        "/{customer_id}/entitlements",
        response_model=list[ShownEntitlement],
        response_model_exclude_none=True,
        summary="What a customer is entitled to, newest first",
    )
    async def entitlements(customer_id: Code, permit: Reading) -> list[dict[str, Any]]:
        loaded, fields = await read_file(ledger, customer_id, permit)
        cursor = ledger.database["entitlements"].find({"owner": {"$in": owners_of(loaded)}})
        documents = await cursor.sort("granted_at", DESCENDING).limit(200).to_list()
        parts = await ledger.read_parts(STORED, "entitlements", documents)
        return [
            masked(entitlement(document["_id"], part, desk.clock.now()), ENTITLEMENT_MASKS, fields)
            for document, part in zip(documents, parts, strict=True)
            if isinstance(part, Entitlement)
        ]

    return router


async def prepare(ledger: Ledger) -> None:
    """Index of the list above; safe to repeat."""
    await ledger.database["entitlements"].create_index([("owner", 1), ("granted_at", -1)])
