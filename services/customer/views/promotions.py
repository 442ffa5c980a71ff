"""Who was nominated for which post, and how far it is decided (S0-19)."""

from typing import Annotated

from fastapi import APIRouter

from services.customer.model.promotions import promotion
from services.customer.model.staff import Staff, existing
from services.customer.staffing import STORED
from services.customer.views.standing import Standing, standing
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed, facts_of
from shared.plumbing.journal import Ledger

MOST = 1_000


class ShownPromotion(Standing):
    """A nomination as it stands; `leaves` is the post that is held no more once it is agreed to."""

    staff_id: str
    promotion_id: str
    role: str
    unit: str
    leaves: str | None = None


def as_promotion(state: Staff, promotion_id: str) -> ShownPromotion:
    """One nomination."""
    found = promotion(state, promotion_id)
    told = found.model_dump(exclude={"approval"})
    return ShownPromotion(staff_id=state.staff_id, promotion_id=promotion_id, **told, **standing(found.approval))


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/promotions."""
    router = APIRouter(prefix="/v1", tags=["staff"])
    reading = allowed("promotion.read", rows=True)

    @router.get("/promotions", response_model_exclude_none=True, summary="Nominations, by person")
    async def list_promotions(permit: Annotated[Permit, reading], status: Code | None = None) -> list[ShownPromotion]:
        query = {"$and": [{"promotions": {"$ne": {}}}, permit.where()]}
        documents = await ledger.database[STORED.collection].find(query).sort("_id", 1).limit(MOST).to_list()
        found = await ledger.read_heads(STORED, documents)
        permit.page([facts_of(STORED, existing(one.state).staff_id, one) for one in found])
        shown = [as_promotion(existing(one.state), name) for one in found for name in existing(one.state).promotions]
        return [one for one in shown if status in (None, one.status)]

    return router
