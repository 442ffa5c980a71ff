"""Visits and receptions: planned and done, what they cost, and how far they follow the plan (S1-08, S3-06, S3-09)."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from pymongo import DESCENDING

from services.customer.desk import Desk
from services.customer.drawing import STORED as SPENDINGS
from services.customer.model import visits
from services.customer.model.adherence import adherence
from services.customer.model.visits import Visit, VisitUnknown, existing
from services.customer.views.customer_file import MASKS, MAX_PAGE, Shown, files_of
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import Permit, allowed, facts_of
from shared.plumbing.journal import Aggregate, Ledger, Loaded
from shared.policy.permission import masking
from shared.policy.permission.masking import masked

STORED = Aggregate("visits", Visit, visits.evolve, lambda state: state.customer_id, owner=lambda state: state.staff_id)
VISIT_MASKS = {
    **MASKS,
    "purpose": masking.hidden,
    "keyFacts": masking.hidden,
    "report": masking.hidden,
    "because": masking.hidden,
}
Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(9000, 1, 1))]
Reading = Annotated[Permit, allowed("visit.read", rows=True)]


class ShownVisit(Shown):
    """A visit as it stands: proposed, returned, rejected, planned, cancelled or done.

    `cycle` counts how often its plan was asked for; `because` is what was said of the plan last.
    """

    visit_id: str
    customer_id: str
    kind: str
    status: str
    staff_id: str
    planned_for: Moment | None = None
    planned_by: str | None = None
    purpose: str | None = None
    cycle: int | None = None
    because: str | None = None
    at: Moment | None = None
    contact_id: str | None = None
    outcome: str | None = None
    needs: list[str] = []
    inquiry: str | None = None
    key_facts: str | None = None
    report: str | None = None


class Costs(Shown):
    """What was asked for because of a visit, in minor currency units: still reserved or spent, and spent."""

    visit_id: str
    requests: int
    taken: int
    spent: int


class PlanKept(Shown):
    """Of the visits planned for a period and not called off, how many took place; null where none was planned."""

    planned: int
    kept: int
    kept_on_day: int
    unplanned: int
    rate: float | None


def as_visit(loaded: Loaded[Visit]) -> dict[str, Any]:
    """One visit as JSON."""
    state = existing(loaded.state)
    cycle = None if state.approval is None else state.approval.cycle
    shown = ShownVisit.model_validate({**state.model_dump(exclude={"approval", "dims"}), "cycle": cycle})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


async def customer_of(ledger: Ledger, visit_id: str) -> dict[str, Any]:
    """What of a visit never changes: customer, staff and kind. Raises VisitUnknown."""
    wanted = {"customer_id": 1, "staff_id": 1, "kind": 1}
    document = await ledger.database[STORED.collection].find_one({"_id": visit_id}, wanted)
    if document is None:
        raise VisitUnknown(f"there is no visit {visit_id}; list them first")
    return document


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/visits, one of them, its costs, and /v1/visits/adherence."""
    router = APIRouter(prefix="/v1/visits", tags=["visits"])
    stored = ledger.database[STORED.collection]

    @router.get("", response_model=list[ShownVisit], response_model_exclude_none=True, summary="List visits")
    async def list_visits(
        permit: Reading,
        customer: Code | None = None,
        staff: Code | None = None,
        status: Code | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> list[dict[str, Any]]:
        files = None if customer is None else {"$in": await files_of(ledger, customer)}
        wanted = {"customer_id": files, "staff_id": staff, "status": status}
        query = {name: value for name, value in wanted.items() if value is not None}
        newest = [("planned_for", DESCENDING), ("at", DESCENDING)]
        documents = await stored.find({"$and": [query, permit.where()]}).sort(newest).limit(limit).to_list()
        found = await ledger.read_heads(STORED, documents)
        seen = permit.page([facts_of(STORED, existing(one.state).visit_id, one) for one in found])
        return [masked(as_visit(one), VISIT_MASKS, fields) for one, fields in zip(found, seen, strict=True)]

    @router.get("/adherence", response_model=PlanKept, summary="How far visits follow the plan")
    async def plan_kept(
        permit: Reading,
        since: Annotated[Day, Query(alias="from", description="First day, in the installation's time zone.")],
        until: Annotated[Day, Query(alias="to", description="The day after the last one.")],
        staff: Code | None = None,
    ) -> PlanKept:
        start, end = (datetime.combine(day, time(), desk.zone).astimezone(UTC) for day in (since, until))
        within = {"$gte": start, "$lt": end}
        query: dict[str, Any] = {"$or": [{"planned_for": within}, {"planned_for": None, "at": within}]}
        if staff is not None:
            query["staff_id"] = staff
        found = await ledger.read_heads(STORED, await stored.find({"$and": [query, permit.where()]}).to_list())
        told = adherence([existing(one.state) for one in found], start, end, desk.day)
        return PlanKept(
            planned=told.planned, kept=told.kept, kept_on_day=told.on_day, unplanned=told.unplanned, rate=told.rate
        )

    @router.get("/{visit_id}", response_model=ShownVisit, response_model_exclude_none=True, summary="Read one visit")
    async def read_visit(visit_id: Code, permit: Reading) -> dict[str, Any]:
        document = await stored.find_one({"_id": visit_id})
        loaded = Loaded[Visit](None) if document is None else await ledger.read_head(STORED, document)
        fields = permit.on(facts_of(STORED, visit_id, loaded))
        return masked(as_visit(loaded), VISIT_MASKS, fields)

    @router.get("/{visit_id}/costs", response_model=Costs, summary="What one visit costs")
    async def read_costs(visit_id: Code, permit: Reading) -> Costs:
        document = await stored.find_one({"_id": visit_id})
        loaded = Loaded[Visit](None) if document is None else await ledger.read_head(STORED, document)
        permit.on(facts_of(STORED, visit_id, loaded))
        known = existing(loaded.state)
        documents = await ledger.database[SPENDINGS.collection].find({"visit_id": known.visit_id}).to_list()
        requests = [one.state for one in await ledger.read_heads(SPENDINGS, documents) if one.state is not None]
        return Costs(
            visit_id=visit_id,
            requests=len(requests),
            taken=sum(one.claim for one in requests),
            spent=sum(one.spent or 0 for one in requests),
        )

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    stored = ledger.database[STORED.collection]
    await stored.create_index([("customer_id", 1), ("planned_for", -1)])
    await stored.create_index([("staff_id", 1), ("planned_for", -1)])
    await stored.create_index("planned_for")
    await stored.create_index("at")
    await ledger.database[SPENDINGS.collection].create_index("visit_id", sparse=True)
