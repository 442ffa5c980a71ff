"""What each person agreed to, and whom nothing may be sent: without names, for whoever sends (S2-02)."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.desk import STORED, Desk
from services.customer.model.consenting import YES, Because, Purposes, may_send
from services.customer.model.consents import Consent
from services.customer.model.customer import Customer
from services.customer.model.parts import Contact
from services.customer.views.customer_file import Reading, Shown, owners_of, read_file
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import HIDDEN

MAX_PAGE = 1_000


class Act(Shown):
    """Something a person said about a purpose."""

    act: str
    at: Moment
    channel: str | None = None
    basis: str | None = None
    text_version: str | None = None


class Purpose(Shown):
    """Whether something may be sent for a purpose, and why; `evidence` is that of the last act."""

    purpose: str
    may_send: bool
    because: Because
    evidence: str | None = None
    acts: list[Act] = []


class Ledgered(Shown):
    """The ledger of one person."""

    person_id: str
    lawful_basis: str | None = None
    purposes: list[Purpose]


class Suppressed(Shown):
    """People whom nothing may be sent for the purpose, since they said so; `next` is the next page's `after`."""

    purpose: str
    persons: list[str]
    next: str | None = None


def as_ledger(state: Customer, person_id: str, entries: Iterable[Consent], policy: Purposes) -> dict[str, Any]:
    """The ledger of one person as JSON."""
    contact = state.contacts.get(person_id)
    basis = state.lawful_basis if person_id == state.customer_id else contact.lawful_basis if contact else None
    by_purpose = {one.purpose: one for one in entries}
    purposes = []
    for purpose in policy.known:
        one = by_purpose.get(purpose)
        because = may_send(basis, state.erased_at is not None, one, purpose, policy)
        told = {"purpose": purpose, "may_send": because in YES, "because": because}
        purposes.append({**told, "evidence": one.evidence if one else None, "acts": one.acts if one else []})
    shown = Ledgered.model_validate({"person_id": person_id, "lawful_basis": basis, "purposes": purposes})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET …/consents of a file, and GET /v1/consents/withdrawn."""
    router = APIRouter(prefix="/v1", tags=["privacy"])
    consents, contacts = ledger.database["consents"], ledger.database["contacts"]

    @router.get(
        "/customers/{customer_id}/consents",
        response_model_exclude_none=True,
        summary="What the customer and the people there agreed to",
    )
    async def of_customer(customer_id: Code, permit: Reading) -> list[Ledgered]:
        loaded, fields = await read_file(ledger, customer_id, permit)
        if loaded.state is None:
            raise ValueError("a file that was read exists")
        files = {"owner": {"$in": owners_of(loaded)}}
        people = await contacts.find(files).sort("_id", 1).limit(MAX_PAGE).to_list()
        known = zip(people, await ledger.read_parts(STORED, "contacts", people), strict=True)
        state = loaded.state.model_copy(
            update={"contacts": {stored["_id"]: part for stored, part in known if isinstance(part, Contact)}}
        )
        documents = await consents.find(files).to_list()
        parts = await ledger.read_parts(STORED, "consents", documents)
        entries = [one for one in parts if isinstance(one, Consent)]
        if fields != "full":
            hidden = HIDDEN if fields == "masked" else None
            entries = [one.model_copy(update={"evidence": one.evidence and hidden}) for one in entries]
        policy = Purposes.of(desk.policies, desk.today())
        return [
            Ledgered.model_validate(
                as_ledger(state, person, (one for one in entries if one.person_id == person), policy)
            )
            for person in (customer_id, *state.contacts)
        ]

    @router.get(
        "/consents/withdrawn",
        response_model_exclude_none=True,
        summary="Whom nothing may be sent for a purpose any more, as ids alone",
        dependencies=[allowed("consent.read")],
    )
    async def withdrawn(
        purpose: Code,
        after: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 500,
    ) -> Suppressed:
        Purposes.of(desk.policies, desk.today()).check([purpose])
        query = {"purpose": purpose, "status": "withdrawn", "person_id": {"$gt": after}}
        found = await consents.find(query, {"person_id": 1}).sort("person_id", 1).limit(limit + 1).to_list()
        persons = [one["person_id"] for one in found[:limit]]
        return Suppressed(purpose=purpose, persons=persons, next=persons[-1] if len(found) > limit else None)

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["consents"].create_index("owner")
    await ledger.database["consents"].create_index([("purpose", 1), ("status", 1), ("person_id", 1)])
