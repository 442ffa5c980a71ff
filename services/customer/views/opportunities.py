"""What may be sold: to one customer, to all within reach, and how much of it is won (S2-01, S2-05)."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.customer.desk import STORED
from services.customer.model.cared import Opportunity
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from services.customer.views.worklist import After, Limit, worklist
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MOST = 500


class ShownOpportunity(Shown):
    """Something that may be sold, or was decided; `amount` in minor currency units."""

    customer_id: str
    opportunity_id: str
    title: str | None = None
    stage: str
    status: str
    amount: int
    currency: str
    product_line: str | None = None
    expected_close: date
    opened_at: Moment
    closed_at: Moment | None = None
    reason: str | None = None
    note: str | None = None


class OpportunityPage(Shown):
    """A page, the longest open first; `next` is the `after` of the following page."""

    opportunities: list[ShownOpportunity]
    next: str | None = None


class StageSum(Shown):
    """How many are in a stage, and their amounts in minor units of one currency."""

    stage: str
    currency: str
    n: int
    amount: int


class Funnel(Shown):
    """All stages; `conversion` is won of those decided, null while none is."""

    stages: list[StageSum]
    won: int
    lost: int
    conversion: float | None


def as_opportunity(customer_id: str, opportunity_id: str, opportunity: Opportunity) -> dict[str, Any]:
    """One opportunity as JSON."""
    ids = {"customer_id": customer_id, "opportunity_id": opportunity_id}
    shown = ShownOpportunity.model_validate({**opportunity.model_dump(), **ids})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET below /v1/opportunities and /v1/customers/{customer_id}/opportunities."""
    router = APIRouter(prefix="/v1", tags=["opportunities"])
    opportunities = ledger.database["opportunities"]

    @router.get(
        "/customers/{customer_id}/opportunities",
        response_model_exclude_none=True,
        summary="Opportunities with a customer, the newest first",
    )
    async def of_customer(customer_id: Code, permit: Reading) -> list[ShownOpportunity]:
        loaded, fields = await read_file(ledger, customer_id, permit)
        cursor = opportunities.find({"owner": {"$in": owners_of(loaded)}}).sort("opened_at", -1)
        documents = await cursor.limit(MOST).to_list()
        found = zip(documents, await ledger.read_parts(STORED, "opportunities", documents), strict=True)
        return [
            ShownOpportunity.model_validate(masked(as_opportunity(stored["owner"], stored["_id"], part), MASKS, fields))
            for stored, part in found
            if isinstance(part, Opportunity)
        ]

    @router.get("/opportunities", response_model_exclude_none=True, summary="Opportunities, the longest open first")
    async def page(
        permit: Reading,
        status: Literal["open", "won", "lost"] = "open",
        stage: Code | None = None,
        closes_by: Annotated[date | None, Query(alias="closesBy")] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> OpportunityPage:
        wanted: dict[str, Any] = {"status": status}
        if stage is not None:
            wanted["stage"] = stage
        if closes_by is not None:
            wanted["expected_close"] = {"$lte": closes_by.isoformat()}
        items, more = await worklist(ledger, permit, "opportunities", wanted, "opened_at", after, limit)
        shown = [
            ShownOpportunity.model_validate(
                masked(as_opportunity(one.customer_id, one.part_id, one.part), MASKS, one.fields)
            )
            for one in items
            if isinstance(one.part, Opportunity)
        ]
        return OpportunityPage(opportunities=shown, next=more)

    @router.get(
        "/opportunities/funnel",
        summary="How many opportunities are in each stage, and how many of the decided ones were won",
        dependencies=[allowed("metric.read")],
    )
    async def funnel() -> Funnel:
        sums = {"_id": {"stage": "$stage", "currency": "$currency"}, "n": {"$sum": 1}, "amount": {"$sum": "$amount"}}
        groups = await (await opportunities.aggregate([{"$group": sums}])).to_list()
        stages = [StageSum.model_validate({**one["_id"], "n": one["n"], "amount": one["amount"]}) for one in groups]
        won, lost = (sum(one.n for one in stages if one.stage == name) for name in ("won", "lost"))
        return Funnel(
            stages=sorted(stages, key=lambda one: (one.stage, one.currency)),
            won=won,
            lost=lost,
            conversion=won / (won + lost) if won + lost else None,
        )

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["opportunities"].create_index("owner")
    await ledger.database["opportunities"].create_index([("status", 1), ("opened_at", 1), ("_id", 1)])
