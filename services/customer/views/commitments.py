"""Promises: those to one customer, those that are open or overdue, and how many were kept (S3-23)."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter

from services.customer.model.cared import Commitment
from services.customer.views.customer_file import MASKS, AsOf, Reading, Shown
from services.customer.views.holding import held
from services.customer.views.worklist import After, Limit, at_stage, worklist
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MOST = 1_000


class ShownCommitment(Shown):
    """A promise; `overdue` while it is open and its day has passed, `why` the arithmetic of that day."""

    customer_id: str
    commitment_id: str
    promise: str | None = None
    status: str
    overdue: bool
    made_at: Moment
    due_at: Moment
    responsible: str | None = None
    settled_at: Moment | None = None
    late: bool
    reason: str | None = None
    note: str | None = None
    why: dict[str, str] = {}


class CommitmentPage(Shown):
    """A page of promises, the earliest due first; `next` is the `after` of the following page."""

    commitments: list[ShownCommitment]
    next: str | None = None


class KeptRate(Shown):
    """How many of the settled promises were kept in time; `rate` is null where none is settled."""

    open: int
    overdue: int
    kept_in_time: int
    kept_late: int
    broken: int
    n: int
    rate: float | None


def as_commitment(customer_id: str, commitment_id: str, commitment: Commitment, now: datetime) -> dict[str, Any]:
    """One promise as JSON."""
    ids = {"customer_id": customer_id, "commitment_id": commitment_id}
    overdue = commitment.status == "open" and commitment.due_at <= now
    shown = ShownCommitment.model_validate({**commitment.model_dump(), **ids, "overdue": overdue})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET below /v1/commitments and /v1/customers/{customer_id}/commitments."""
    router = APIRouter(prefix="/v1", tags=["commitments"])
    commitments = ledger.database["commitments"]

    @router.get(
        "/customers/{customer_id}/commitments", response_model_exclude_none=True, summary="Promises to a customer"
    )
    async def of_customer(customer_id: Code, permit: Reading, as_of: AsOf = None) -> list[ShownCommitment]:
        found, fields = await held(ledger, customer_id, permit, "commitments", ("due_at", 1), MOST, as_of)
        now = as_of or ledger.clock.now()
        return [
            ShownCommitment.model_validate(masked(as_commitment(one.owner, one.part_id, one.part, now), MASKS, fields))
            for one in found
            if isinstance(one.part, Commitment)
        ]

    @router.get("/commitments", response_model_exclude_none=True, summary="Promises, the earliest due first")
    async def page(
        permit: Reading,
        status: Literal["open", "overdue", "kept", "broken"] = "open",
        responsible: Code | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> CommitmentPage:
        now = ledger.clock.now()
        wanted = at_stage(status, responsible, now)
        items, more = await worklist(ledger, permit, "commitments", wanted, "due_at", after, limit)
        shown = [
            ShownCommitment.model_validate(
                masked(as_commitment(one.customer_id, one.part_id, one.part, now), MASKS, one.fields)
            )
            for one in items
            if isinstance(one.part, Commitment)
        ]
        return CommitmentPage(commitments=shown, next=more)

    @router.get(
        "/commitments/kept-rate",
        summary="How many promises are kept",
        dependencies=[allowed("metric.read")],
    )
    async def kept_rate(responsible: Code | None = None) -> KeptRate:
        now = ledger.clock.now()
        wanted = {} if responsible is None else {"responsible": responsible}
        kind = {"status": "$status", "late": "$late", "over": {"$lte": ["$due_at", now]}}
        counted: dict[tuple[str, bool, bool], int] = {}
        async for group in await commitments.aggregate(
            [{"$match": wanted}, {"$group": {"_id": kind, "n": {"$sum": 1}}}]
        ):
            one = group["_id"]
            counted[one["status"], one["late"], one["over"]] = group["n"]

        def count(status: str, late: bool | None = None, over: bool | None = None) -> int:
            return sum(
                n
                for (is_status, is_late, is_over), n in counted.items()
                if is_status == status and late in (None, is_late) and over in (None, is_over)
            )

        in_time, late, broken = count("kept", late=False), count("kept", late=True), count("broken")
        settled = in_time + late + broken
        return KeptRate(
            open=count("open"),
            overdue=count("open", over=True),
            kept_in_time=in_time,
            kept_late=late,
            broken=broken,
            n=settled,
            rate=in_time / settled if settled else None,
        )

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["commitments"].create_index([("owner", 1), ("due_at", 1)])
    await ledger.database["commitments"].create_index([("status", 1), ("due_at", 1), ("_id", 1)])
