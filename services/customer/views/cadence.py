"""Whom to speak with next: when the next contact with a customer is due, and with whom it is overdue (S1-17, S3-24)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.desk import STORED, Desk
from services.customer.views.customer_file import Reading, Shown, owners_of, read_file
from services.customer.views.worklist import After, Limit, beyond, next_page
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import facts_of
from shared.plumbing.journal import Ledger

TALKS = 5
"""Of so many last conversations the needs are named as topics of the next one."""


class NextContact(Shown):
    """When the next contact is due, `why` by language; nothing is due without a grade that has a cadence.

    `topics` are the needs of the last conversations, the latest first.
    """

    customer_id: str
    grade: str | None = None
    last_contact_at: Moment | None = None
    due_at: Moment | None = None
    overdue: bool
    why: dict[str, str] = {}
    topics: list[str] = []
    policy_version: str


class Overdue(Shown):
    """A customer who should have heard from us by `dueAt`."""

    customer_id: str
    code: str
    grade: str | None = None
    owner_id: str | None = None
    last_contact_at: Moment | None = None
    due_at: Moment


class OverduePage(Shown):
    """A page, the longest silent first; it may have fewer than asked for while `next` names a following one."""

    customers: list[Overdue]
    next: str | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/{customer_id}/next-contact and /v1/overdue-contacts."""
    router = APIRouter(prefix="/v1", tags=["contact cadence"])
    customers = ledger.database["customers"]

    @router.get(
        "/customers/{customer_id}/next-contact",
        response_model_exclude_none=True,
        summary="When the next contact is due, and why then",
    )
    async def next_contact(customer_id: Code, permit: Reading) -> NextContact:
        loaded, _ = await read_file(ledger, customer_id, permit)
        now = ledger.clock.now()
        cadence = desk.cadence(now)
        state = loaded.state
        due = None if state is None else cadence.due(state)
        talks = ledger.database["interactions"].find({"owner": {"$in": owners_of(loaded)}}, {"needs": 1})
        last = await talks.sort("at", -1).limit(TALKS).to_list()
        return NextContact(
            customer_id=customer_id,
            grade=state.grade if state else None,
            last_contact_at=state.contacted_at if state else None,
            due_at=due.at if due else None,
            overdue=due is not None and due.at <= now,
            why={"zh": due.explained("zh"), "en": due.explained("en")} if due else {},
            topics=list(dict.fromkeys(need for one in last for need in one["needs"])),
            policy_version=cadence.version,
        )

    @router.get(
        "/overdue-contacts", response_model_exclude_none=True, summary="Customers who should have heard from us"
    )
    async def overdue_contacts(
        permit: Reading,
        grade: Annotated[Code | None, Query(description="Of this grade alone.")] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> OverduePage:
        now = ledger.clock.now()
        cadence = desk.cadence(now)
        silent = {name: at for name, at in cadence.silent_before(now).items() if grade in (None, name)}
        if not silent:
            return OverduePage(customers=[])
        perhaps: list[dict[str, Any]] = [
            {"grade": name, "merged_into": None, "contacted_at": {"$lt": at}} for name, at in silent.items()
        ]
        query = {"$and": [{"$or": perhaps}, beyond(after, "contacted_at"), permit.where()]}
        documents = await customers.find(query).sort([("contacted_at", 1), ("_id", 1)]).limit(limit + 1).to_list()
        heads = await ledger.read_heads(STORED, documents[:limit])
        permit.page([facts_of(STORED, str(one.key), one) for one in heads])
        states = [one.state for one in heads if one.state is not None]
        shown = [
            Overdue(
                customer_id=state.customer_id,
                code=state.code,
                grade=state.grade,
                owner_id=state.owner_id,
                last_contact_at=state.contacted_at,
                due_at=due.at,
            )
            for state in states
            if (due := cadence.due(state)) is not None and due.at <= now
        ]
        more = len(documents) > limit
        last = documents[limit - 1] if more else None
        return OverduePage(customers=shown, next=next_page(last["contacted_at"], last["_id"]) if last else None)

    return router


async def prepare(ledger: Ledger) -> None:
    """The index of the list above; safe to repeat."""
    await ledger.database["customers"].create_index([("grade", 1), ("contacted_at", 1), ("_id", 1)])
