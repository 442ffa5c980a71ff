"""Requests for changes of key fields: those of one customer, and those that wait for a decision (S2-19)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.desk import STORED, Desk
from services.customer.model.customer import CREDIT
from services.customer.model.parts import KeyChange
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from services.customer.views.standing import Standing, standing, waits_for
from services.customer.views.worklist import Limit, reachable
from shared.contracts.envelope import Code
from shared.plumbing.journal import Ledger
from shared.policy.calendar.business import Calendar
from shared.policy.permission.masking import masked
from shared.policy.permission.table import Fields

MOST = 1_000


class ShownKeyChange(Standing):
    """A request as it stands: which fields, who asked and decides the waiting step, until when.

    `values` are the new ones, as much of them as may be seen of the file, without the credit (views/credit.py);
    `because` is what the last decision said.
    """

    customer_id: str
    request_id: str
    fields: list[str]
    values: dict[str, Any] | None = None
    because: str | None = None


class KeyChangePage(Shown):
    """A page of requests in the order of their ids; `next` is the `after` of the following page."""

    key_changes: list[ShownKeyChange]
    next: str | None = None


def as_key_change(
    customer_id: str, request_id: str, change: KeyChange, fields: Fields = "none", calendar: Calendar | None = None
) -> ShownKeyChange:
    """One request; of the new values as much as `fields` lets be seen, its deadline explained by the calendar."""
    return ShownKeyChange(
        customer_id=customer_id,
        request_id=request_id,
        fields=change.fields,
        values=masked({name: value for name, value in change.values.items() if name != CREDIT}, MASKS, fields),
        **masked({"because": change.because}, MASKS, fields),
        **standing(change.approval, calendar),
    )


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/key-changes and /v1/customers/{customer_id}/key-changes."""
    router = APIRouter(prefix="/v1", tags=["key changes"])

    @router.get(
        "/customers/{customer_id}/key-changes",
        response_model_exclude_none=True,
        summary="Changes of key fields that were asked for",
    )
    async def of_customer(customer_id: Code, permit: Reading) -> list[ShownKeyChange]:
        loaded, fields = await read_file(ledger, customer_id, permit)
        found = ledger.database["key_changes"].find({"owner": {"$in": owners_of(loaded)}}).sort("_id", 1)
        documents = await found.limit(MOST).to_list()
        parts = await ledger.read_parts(STORED, "key_changes", documents)
        return [
            as_key_change(document["owner"], document["_id"], part, fields, desk.calendar())
            for document, part in zip(documents, parts, strict=True)
            if isinstance(part, KeyChange)
        ]

    @router.get("/key-changes", response_model_exclude_none=True, summary="Requests by where they stand")
    async def page(
        permit: Reading,
        status: Code = "pending",
        waiting_for: Annotated[Code | None, Query(alias="waitingFor", description="The role that decides.")] = None,
        after: Code | None = None,
        limit: Limit = 50,
    ) -> KeyChangePage:
        wanted: dict[str, Any] = {"approval.status": status, "_id": {"$gt": after or ""}}
        if waiting_for is not None:
            wanted = {"$and": [wanted, waits_for(waiting_for)]}
        found = await reachable(ledger, permit, "key_changes", wanted, "_id", limit + 1)
        shown = [
            as_key_change(one.customer_id, one.part_id, one.part, one.fields, desk.calendar())
            for one in found[:limit]
            if isinstance(one.part, KeyChange)
        ]
        return KeyChangePage(key_changes=shown, next=found[limit - 1].part_id if len(found) > limit else None)

    return router


async def prepare(ledger: Ledger) -> None:
    """The index of the first list above; safe to repeat."""
    await ledger.database["key_changes"].create_index("owner")
