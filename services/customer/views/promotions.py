"""Who was nominated for which post, and how far it is decided (S0-19)."""

from typing import Annotated, Any

from fastapi import APIRouter

from services.customer.model.promotions import promotion
from services.customer.model.staff import Staff, Words, existing
from services.customer.staffing import STORED
from services.customer.views.customer_file import Shown
from services.customer.views.standing import Standing, standing
from services.customer.views.worklist import Limit
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed, facts_of
from shared.plumbing.journal import Ledger


class ShownPromotion(Standing):
    """A nomination as it stands and why; `leaves` is the post that is held no more once it is agreed to.

    `because` is what the last decision said.
    """

    staff_id: str
    promotion_id: str
    role: str
    unit: str
    leaves: str | None = None
    reason: str | None = None
    because: str | None = None


class PromotionPage(Shown):
    """All nominations of some people, in the order of their ids; `next` is the `after` of the following page."""

    promotions: list[ShownPromotion]
    next: str | None = None


def as_promotion(state: Staff, promotion_id: str) -> ShownPromotion:
    """One nomination."""
    found = promotion(state, promotion_id)
    told = {**found.model_dump(exclude={"approval"}), **state.words.get(promotion_id, Words()).model_dump()}
    return ShownPromotion(staff_id=state.staff_id, promotion_id=promotion_id, **told, **standing(found.approval))


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/promotions."""
    router = APIRouter(prefix="/v1", tags=["staff"])
    reading = allowed("promotion.read", rows=True)

    @router.get("/promotions", response_model_exclude_none=True, summary="Nominations, by person")
    async def list_promotions(
        permit: Annotated[Permit, reading], status: Code | None = None, after: Code | None = None, limit: Limit = 50
    ) -> PromotionPage:
        query = {"$and": [nominated(status), {"_id": {"$gt": after or ""}}, permit.where()]}
        documents = await ledger.database[STORED.collection].find(query).sort("_id", 1).limit(limit + 1).to_list()
        found = await ledger.read_heads(STORED, documents[:limit])
        permit.page([facts_of(STORED, existing(one.state).staff_id, one) for one in found])
        shown = [as_promotion(existing(one.state), name) for one in found for name in existing(one.state).promotions]
        return PromotionPage(
            promotions=[one for one in shown if status in (None, one.status)],
            next=documents[limit - 1]["_id"] if len(documents) > limit else None,
        )

    return router


def nominated(status: str | None) -> dict[str, Any]:
    """People with a nomination, one that stands so if that is asked; a filter."""
    if status is None:
        return {"promotions": {"$nin": [{}, None]}}
    nominations = {"$objectToArray": {"$ifNull": ["$promotions", {}]}}
    return {"$expr": {"$in": [status, {"$map": {"input": nominations, "in": "$$this.v.approval.status"}}]}}
