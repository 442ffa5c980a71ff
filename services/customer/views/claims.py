"""What people claimed by right: of one customer, and over all customers what waits for an answer (S2-02, PIPL 50)."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter

from services.customer.model.claims import Claim
from services.customer.views.customer_file import MASKS, Reading, Shown
from services.customer.views.holding import held
from services.customer.views.worklist import After, Limit, at_stage, worklist
from shared.contracts.envelope import Code, Moment
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MOST = 1_000


class ShownClaim(Shown):
    """A claim; `overdue` while it is open and its day has passed, `why` the arithmetic of that day."""

    customer_id: str
    claim_id: str
    person_id: str
    right: str
    status: str
    overdue: bool
    channel: str | None = None
    at: Moment
    due_at: Moment
    answered_at: Moment | None = None
    late: bool
    reason: str | None = None
    words: str | None = None
    answer: str | None = None
    why: dict[str, str] = {}


class ClaimPage(Shown):
    """A page of claims, the earliest due first; `next` is the `after` of the following page."""

    claims: list[ShownClaim]
    next: str | None = None


def as_claim(customer_id: str, claim_id: str, claim: Claim, now: datetime) -> dict[str, Any]:
    """One claim as JSON."""
    ids = {"customer_id": customer_id, "claim_id": claim_id}
    overdue = claim.status == "open" and claim.due_at <= now
    shown = ShownClaim.model_validate({**claim.model_dump(), **ids, "overdue": overdue})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/claims and /v1/customers/{customer_id}/claims."""
    router = APIRouter(prefix="/v1", tags=["privacy"])

    @router.get("/customers/{customer_id}/claims", response_model_exclude_none=True, summary="What people claimed")
    async def of_customer(customer_id: Code, permit: Reading) -> list[ShownClaim]:
        found, fields = await held(ledger, customer_id, permit, "claims", ("due_at", 1), MOST, None)
        now = ledger.clock.now()
        return [
            ShownClaim.model_validate(masked(as_claim(one.owner, one.part_id, one.part, now), MASKS, fields))
            for one in found
            if isinstance(one.part, Claim)
        ]

    @router.get("/claims", response_model_exclude_none=True, summary="Claims, the earliest due first")
    async def page(
        permit: Reading,
        status: Literal["open", "overdue", "granted", "refused"] = "open",
        after: After = None,
        limit: Limit = 50,
    ) -> ClaimPage:
        now = ledger.clock.now()
        wanted = at_stage(status, None, now)
        items, more = await worklist(ledger, permit, "claims", wanted, "due_at", after, limit, erased=True)
        shown = [
            ShownClaim.model_validate(masked(as_claim(one.customer_id, one.part_id, one.part, now), MASKS, one.fields))
            for one in items
            if isinstance(one.part, Claim)
        ]
        return ClaimPage(claims=shown, next=more)

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["rights_claims"].create_index("owner")
    await ledger.database["rights_claims"].create_index([("status", 1), ("due_at", 1)])
