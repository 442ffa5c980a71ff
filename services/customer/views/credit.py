"""What we trust a customer to pay, and what somebody asks it to be: for those alone whom it concerns (S2-13)."""

from typing import Annotated

from fastapi import APIRouter

from services.customer.desk import STORED, Desk
from services.customer.model.customer import CREDIT
from services.customer.model.parts import KeyChange
from services.customer.views.customer_file import MASKS, Shown, owners_of, read_file
from services.customer.views.standing import Standing, standing
from services.customer.views.worklist import Limit, reachable
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed
from shared.plumbing.journal import Ledger
from shared.policy.calendar.business import Calendar
from shared.policy.permission.masking import masked
from shared.policy.permission.table import Fields

MOST = 100
Trusting = Annotated[Permit, allowed("credit.read", rows=True)]
"""Apart from the rest of the file: who reads that does not read the credit, nor the other way round."""


class AskedCredit(Standing):
    """A request for another word on a customer's credit."""

    customer_id: str
    request_id: str
    credit: str | None = None


class ShownCredit(Shown):
    """The word in force, and every request for another one, the last one first."""

    customer_id: str
    code: str
    credit: str | None = None
    asked: list[AskedCredit]


class AskedCreditPage(Shown):
    """A page of requests in the order of their ids; `next` is the `after` of the following page."""

    asked: list[AskedCredit]
    next: str | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/{customer_id}/credit and /v1/credit-requests."""
    router = APIRouter(prefix="/v1", tags=["credit"])

    @router.get("/customers/{customer_id}/credit", response_model_exclude_none=True, summary="What credit is given")
    async def of_customer(customer_id: Code, permit: Trusting) -> ShownCredit:
        loaded, fields = await read_file(ledger, customer_id, permit)
        if loaded.state is None:
            raise ValueError("a file that was read exists")
        wanted = {"owner": {"$in": owners_of(loaded)}, "fields": CREDIT}
        latest = ledger.database["key_changes"].find(wanted).sort("approval.submitted_at", -1)
        documents = await latest.limit(MOST).to_list()
        parts = await ledger.read_parts(STORED, "key_changes", documents)
        asked = [
            _asked(stored["owner"], stored["_id"], part, fields, desk.calendar())
            for stored, part in zip(documents, parts, strict=True)
            if isinstance(part, KeyChange)
        ]
        told = masked({"credit": loaded.state.credit}, MASKS, fields)
        return ShownCredit(customer_id=loaded.state.customer_id, code=loaded.state.code, asked=asked, **told)

    @router.get("/credit-requests", response_model_exclude_none=True, summary="Who waits for another credit")
    async def waiting(
        permit: Trusting, status: Code = "pending", after: Code | None = None, limit: Limit = 50
    ) -> AskedCreditPage:
        wanted = {"approval.status": status, "fields": CREDIT, "_id": {"$gt": after or ""}}
        found = await reachable(ledger, permit, "key_changes", wanted, "_id", limit + 1)
        shown = [
            _asked(one.customer_id, one.part_id, one.part, one.fields, desk.calendar())
            for one in found[:limit]
            if isinstance(one.part, KeyChange)
        ]
        return AskedCreditPage(asked=shown, next=found[limit - 1].part_id if len(found) > limit else None)

    return router


def _asked(
    customer_id: str, request_id: str, change: KeyChange, fields: Fields, calendar: Calendar | None
) -> AskedCredit:
    told = masked({"credit": change.values.get(CREDIT)}, MASKS, fields)
    return AskedCredit(customer_id=customer_id, request_id=request_id, **told, **standing(change.approval, calendar))
