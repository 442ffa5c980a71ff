"""Requests for money, what is left of a budget, and when the next gift drive is due (S0-40, S3-06, S3-22)."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pymongo import DESCENDING

from services.customer.desk import Desk
from services.customer.drawing import BUDGETS, STORED
from services.customer.model.budgets import LIMITS, budget_of, quarter_of
from services.customer.model.requesting import existing
from services.customer.model.spending import Spending
from services.customer.views.customer_file import MASKS, MAX_PAGE, Shown, files_of
from services.customer.views.standing import Standing, standing, waits_for
from shared.contracts.decision import NotFound
from shared.contracts.envelope import Code, Moment
from shared.contracts.spending import Kind
from shared.plumbing.access import Permit, allowed, facts_of
from shared.plumbing.journal import Ledger, Loaded
from shared.plumbing.timers import index_timers
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.reckoning import months_later
from shared.policy.permission.masking import masked
from shared.policy.policies import LimitUnset

CALLED: dict[Kind, str] = {"gift": "gifts", "expense": "expenses", "purchase": "procurements"}
"""Kind of request → its place below /v1; purchases are what customers buy from us."""
Status = Annotated[Code | None, Query(description="Of the approval: pending, approved, rejected, withdrawn, lapsed, …")]


class BudgetUnknown(NotFound):
    SLUG = "budget-unknown"


class ShownRequest(Standing):
    """A request as it stands: amounts in minor currency units, and who decides the waiting step until when."""

    request_id: str
    kind: str
    customer_ids: list[str]
    amount: int
    currency: str
    occasion: str | None = None
    visit_id: str | None = None
    note: str | None = None
    because: str | None = None
    steps: list[str]
    escalated: bool
    authorised_by: str | None = None
    handed_over: dict[str, Moment]
    spent: int | None = None


class ShownBudget(Shown):
    """A budget in minor currency units; without `limit` it is not set, and every request is refused."""

    kind: str
    quarter: str
    limit: int | None = None
    reserved: int
    remaining: int | None = None


class DrivePlan(Shown):
    """When gifts went to several customers last, and by when the next drive is due (gift.drive.every)."""

    last_on: date | None = None
    due_on: date | None = None
    overdue: bool


def as_request(loaded: Loaded[Spending], calendar: Calendar | None = None) -> dict[str, Any]:
    """One request as JSON; its deadline is explained by this calendar."""
    state = existing(loaded.state)
    approval = state.approval
    told = state.model_dump(
        include={"request_id", "kind", "amount", "currency", "occasion", "visit_id", "note", "because"}
    )
    shown = ShownRequest(
        **told,
        customer_ids=state.customers,
        **{**standing(approval, calendar), "status": state.status},
        steps=list(approval.route.steps),
        escalated=approval.escalated,
        authorised_by=approval.authorised_by,
        handed_over=state.handed_over,
        spent=state.spent,
    )
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk, kind: Kind) -> APIRouter:
    """GET the requests of one kind, newest first, and one of them."""
    router = APIRouter(prefix=f"/v1/{CALLED[kind]}", tags=[CALLED[kind]])
    requests = ledger.database[STORED.collection]
    reading = allowed(f"{kind}.read", rows=True)

    @router.get("", response_model=list[ShownRequest], response_model_exclude_none=True, summary="List requests")
    async def list_requests(
        permit: Annotated[Permit, reading],
        status: Status = None,
        waiting_for: Annotated[Code | None, Query(alias="waitingFor", description="The role that decides.")] = None,
        customer: Code | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"kind": kind}
        if status is not None:
            query["approval.status"] = status
        if customer is not None:
            query["customers"] = {"$in": await files_of(ledger, customer)}
        if waiting_for is not None:
            query = {"$and": [query, waits_for(waiting_for)]}
        cursor = requests.find({"$and": [query, permit.where()]}).sort("approval.submitted_at", DESCENDING)
        found = await ledger.read_heads(STORED, await cursor.limit(limit).to_list())
        seen = permit.page([facts_of(STORED, existing(one.state).request_id, one) for one in found])
        by = desk.calendar()
        return [masked(as_request(one, by), MASKS, fields) for one, fields in zip(found, seen, strict=True)]

    @router.get(
        "/{request_id}", response_model=ShownRequest, response_model_exclude_none=True, summary="Read one request"
    )
    async def read_request(request_id: Code, permit: Annotated[Permit, reading]) -> dict[str, Any]:
        document = await requests.find_one({"_id": request_id, "kind": kind})
        loaded = Loaded[Spending](None) if document is None else await ledger.read_head(STORED, document)
        fields = permit.on(facts_of(STORED, request_id, loaded))
        return masked(as_request(loaded, desk.calendar()), MASKS, fields)

    return router


def budget_routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/budgets/{kind} and GET /v1/gift-drives/next."""
    router = APIRouter(prefix="/v1", tags=["budgets"])

    @router.get(
        "/budgets/{kind}",
        response_model=ShownBudget,
        response_model_exclude_none=True,
        summary="What is left of this quarter's budget",
        dependencies=[allowed("budget.read")],
    )
    async def read_budget(kind: Code) -> ShownBudget:
        called: Kind | None = next((one for one in LIMITS if one == kind), None)
        if called is None:
            raise BudgetUnknown(f"there is no budget for {kind}; there are {', '.join(LIMITS)}")
        today = desk.today()
        try:
            limit = desk.policies.value(LIMITS[called], today).value
        except LimitUnset:
            limit = None
        document = await ledger.database[BUDGETS.collection].find_one({"_id": budget_of(called, today)})
        reserved = 0 if document is None else document["reserved"]
        return ShownBudget(
            kind=called,
            quarter=quarter_of(today),
            limit=limit,
            reserved=reserved,
            remaining=None if limit is None else max(limit - reserved, 0),
        )

    @router.get(
        "/gift-drives/next",
        response_model=DrivePlan,
        response_model_exclude_none=True,
        summary="When the next gift drive is due",
        dependencies=[allowed("budget.read")],
    )
    async def next_drive() -> DrivePlan:
        today = desk.today()
        every, _ = desk.policies.span("gift.drive.every", today)
        done = {"kind": "gift", "customers.1": {"$exists": True}, "approval.status": "approved"}
        newest = [("approval.submitted_at", DESCENDING)]
        last = await ledger.database[STORED.collection].find_one(done, {"approval.submitted_at": 1}, sort=newest)
        if last is None:
            return DrivePlan(overdue=True)
        last_on = desk.day(last["approval"]["submitted_at"])
        due_on = months_later(last_on, every.amount)
        return DrivePlan(last_on=last_on, due_on=due_on, overdue=due_on < today)

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above and of the deadlines; safe to repeat."""
    requests = ledger.database[STORED.collection]
    await requests.create_index([("kind", 1), ("approval.submitted_at", -1)])
    await requests.create_index("customers")
    await index_timers(requests)
