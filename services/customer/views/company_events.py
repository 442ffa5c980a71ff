"""Events of the company, and their guests (S1-18, S3-26)."""

from typing import Any

from fastapi import APIRouter

from services.customer.model import company_events
from services.customer.model.cared import Invitation
from services.customer.model.company_events import CompanyEvent, CompanyEventUnknown
from services.customer.views.customer_file import MASKS, Reading, Shown
from services.customer.views.worklist import After, Limit, beyond, next_page, worklist
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Aggregate, Ledger, Loaded
from shared.policy.permission.masking import masked

EVENTS = Aggregate("company_events", CompanyEvent, company_events.evolve, lambda state: state.event_id)


class ShownEvent(Shown):
    """An event; `guests` counts them by what they answered and whether they came."""

    event_id: str
    kind: str
    title: str | None = None
    place: str | None = None
    starts_at: Moment
    status: str
    reason: str | None = None
    guests: dict[str, int] = {}


class EventPage(Shown):
    """A page, the earliest first; `next` is the `after` of the following page."""

    events: list[ShownEvent]
    next: str | None = None


class ShownInvitation(Shown):
    """A guest: invited, accepted, declined, attended or absent."""

    customer_id: str
    invitation_id: str
    event_id: str
    contact_id: str | None = None
    status: str
    note: str | None = None


class GuestPage(Shown):
    """A page of guests; `next` is the `after` of the following page."""

    guests: list[ShownInvitation]
    next: str | None = None


def as_event(loaded: Loaded[CompanyEvent]) -> dict[str, Any]:
    """One event as JSON, without its guests."""
    if loaded.state is None:
        raise ValueError("an event that does not exist cannot be shown")
    shown = ShownEvent.model_validate(loaded.state.model_dump())
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def as_invitation(customer_id: str, invitation_id: str, invitation: Invitation) -> dict[str, Any]:
    """One guest as JSON."""
    ids = {"customer_id": customer_id, "invitation_id": invitation_id}
    shown = ShownInvitation.model_validate({**invitation.model_dump(), **ids})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET below /v1/company-events."""
    router = APIRouter(prefix="/v1/company-events", tags=["company events"])
    events, guests = ledger.database["company_events"], ledger.database["event_invitations"]

    @router.get(
        "",
        response_model_exclude_none=True,
        summary="Company events, the earliest first",
        dependencies=[allowed("company_event.read")],
    )
    async def page(after: After = None, limit: Limit = 50) -> EventPage:
        found = events.find(beyond(after, "starts_at")).sort([("starts_at", 1), ("_id", 1)])
        documents = await found.limit(limit + 1).to_list()
        heads = await ledger.read_heads(EVENTS, documents[:limit])
        last = documents[limit - 1] if len(documents) > limit else None
        return EventPage(
            events=[ShownEvent.model_validate(as_event(one)) for one in heads],
            next=next_page(last["starts_at"], last["_id"]) if last else None,
        )

    @router.get(
        "/{event_id}",
        response_model_exclude_none=True,
        summary="One event, and how many guests it has",
        dependencies=[allowed("company_event.read")],
    )
    async def one(event_id: Code) -> ShownEvent:
        document = await events.find_one({"_id": event_id})
        if document is None:
            raise CompanyEventUnknown(f"there is no company event {event_id}; list them first")
        head = await ledger.read_head(EVENTS, document)
        groups = await guests.aggregate(
            [{"$match": {"event_id": event_id}}, {"$group": {"_id": "$status", "n": {"$sum": 1}}}]
        )
        counted = {group["_id"]: group["n"] for group in await groups.to_list()}
        return ShownEvent.model_validate({**as_event(head), "guests": counted})

    @router.get("/{event_id}/guests", response_model_exclude_none=True, summary="The guests within reach")
    async def guests_of(event_id: Code, permit: Reading, after: After = None, limit: Limit = 50) -> GuestPage:
        wanted = {"event_id": event_id}
        items, more = await worklist(ledger, permit, "invitations", wanted, "starts_at", after, limit)
        shown = [
            ShownInvitation.model_validate(
                masked(as_invitation(one.customer_id, one.part_id, one.part), MASKS, one.fields)
            )
            for one in items
            if isinstance(one.part, Invitation)
        ]
        return GuestPage(guests=shown, next=more)

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["company_events"].create_index([("starts_at", 1), ("_id", 1)])
    await ledger.database["event_invitations"].create_index([("event_id", 1), ("status", 1)])
    await ledger.database["event_invitations"].create_index("owner")
