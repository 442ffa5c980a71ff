"""Plans to look after customers: those of one customer, those with open steps, and how far all of them are (S3-02)."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from services.customer.desk import STORED
from services.customer.model.planned import Plan
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from services.customer.views.worklist import After, Limit, worklist
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MOST = 500


class ShownStep(Shown):
    """A step; `overdue` while it is open and its day has passed."""

    step: str
    kind: str
    needs: list[str] = []
    due_at: Moment
    status: str
    overdue: bool
    done_at: Moment | None = None
    late: bool


class ShownReview(Shown):
    """How the relation stood, from 0 to 100."""

    at: Moment
    score: int


class ShownPlan(Shown):
    """A plan; `words` says by step what is done, `notes` what was written at changes, steps and reviews, in order."""

    customer_id: str
    plan_id: str
    drive_id: str | None = None
    kind: str
    title: str | None = None
    made_at: Moment
    next_at: Moment | None = None
    steps: list[ShownStep]
    words: dict[str, str] | None = None
    reviews: list[ShownReview] = []
    review_due_at: Moment
    notes: list[str] | None = None


class PlanPage(Shown):
    """A page of plans, those whose next step is due first; `next` is the `after` of the following page."""

    plans: list[ShownPlan]
    next: str | None = None


class Progress(Shown):
    """Steps of plans: `completion` is the share done of those not dropped; null where there is none."""

    plans: int
    steps: int
    done: int
    done_late: int
    dropped: int
    overdue: int
    completion: float | None


def as_plan(customer_id: str, plan_id: str, plan: Plan, now: datetime) -> dict[str, Any]:
    """One plan as JSON."""
    steps = [{**one.model_dump(), "overdue": one.status == "open" and one.due_at <= now} for one in plan.steps]
    ids = {"customer_id": customer_id, "plan_id": plan_id, "steps": steps}
    return ShownPlan.model_validate({**plan.model_dump(), **ids}).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )


def routes(ledger: Ledger) -> APIRouter:
    """GET below /v1/maintenance-plans and /v1/customers/{customer_id}/maintenance-plans."""
    router = APIRouter(prefix="/v1", tags=["maintenance plans"])
    plans = ledger.database["maintenance_plans"]

    @router.get(
        "/customers/{customer_id}/maintenance-plans",
        response_model_exclude_none=True,
        summary="Plans to look after a customer, the newest first",
    )
    async def of_customer(customer_id: Code, permit: Reading) -> list[ShownPlan]:
        loaded, fields = await read_file(ledger, customer_id, permit)
        documents = await plans.find({"owner": {"$in": owners_of(loaded)}}).sort("made_at", -1).limit(MOST).to_list()
        found = zip(documents, await ledger.read_parts(STORED, "plans", documents), strict=True)
        now = ledger.clock.now()
        return [
            ShownPlan.model_validate(masked(as_plan(stored["owner"], stored["_id"], part, now), MASKS, fields))
            for stored, part in found
            if isinstance(part, Plan)
        ]

    @router.get(
        "/maintenance-plans", response_model_exclude_none=True, summary="Plans with open steps, the next step first"
    )
    async def page(permit: Reading, overdue: bool = False, after: After = None, limit: Limit = 50) -> PlanPage:
        now = ledger.clock.now()
        wanted = {"next_at": {"$lte": now} if overdue else {"$type": "date"}}
        items, more = await worklist(ledger, permit, "plans", wanted, "next_at", after, limit)
        shown = [
            ShownPlan.model_validate(masked(as_plan(one.customer_id, one.part_id, one.part, now), MASKS, one.fields))
            for one in items
            if isinstance(one.part, Plan)
        ]
        return PlanPage(plans=shown, next=more)

    @router.get("/maintenance-plans/progress", summary="How far the plans are", dependencies=[allowed("metric.read")])
    async def progress(drive_id: Code | None = None) -> Progress:
        now = ledger.clock.now()
        wanted = {} if drive_id is None else {"drive_id": drive_id}
        late = {"$and": [{"$eq": ["$steps.status", "open"]}, {"$lte": ["$steps.due_at", now]}]}
        groups = await plans.aggregate(
            [
                {"$match": wanted},
                {"$unwind": "$steps"},
                {
                    "$group": {
                        "_id": {"status": "$steps.status", "late": {"$or": ["$steps.late", late]}},
                        "n": {"$sum": 1},
                    }
                },
            ]
        )
        counted = {(one["_id"]["status"], one["_id"]["late"]): int(one["n"]) for one in await groups.to_list()}
        done, dropped = (sum(n for (of, _), n in counted.items() if of == status) for status in ("done", "dropped"))
        steps = sum(counted.values())
        return Progress(
            plans=await plans.count_documents(wanted),
            steps=steps,
            done=done,
            done_late=counted.get(("done", True), 0),
            dropped=dropped,
            overdue=counted.get(("open", True), 0),
            completion=done / (steps - dropped) if steps > dropped else None,
        )

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["maintenance_plans"].create_index([("owner", 1), ("made_at", -1)])
    await ledger.database["maintenance_plans"].create_index([("next_at", 1), ("_id", 1)])
    await ledger.database["maintenance_plans"].create_index("drive_id", sparse=True)
