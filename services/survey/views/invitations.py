"""Who is asked in a campaign, and who is left alone for which reason; people as ids alone."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.survey.model.addressee import COLLECTION, INVITATIONS, Addressee, Invitation, Who, evolve
from services.survey.views.shown import MAX_PAGE, Shown
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Aggregate, Ledger

STORED = Aggregate(COLLECTION, Addressee, evolve, lambda state: state.customer_id)


class ShownInvitation(Shown):
    """One person's invitation: planned, or suppressed for a reason (withdrawn, needs_consent, erased, merged)."""

    invitation_id: str
    campaign_id: str
    customer_id: str
    person_id: str
    status: Literal["planned", "suppressed"]
    reason: str | None = None
    at: Moment


class InvitationPage(Shown):
    """Invitations in the order of their ids; `next` is the `after` of the following page."""

    invitations: list[ShownInvitation]
    next: str | None = None


def who_is(identity: Identity, customer_id: str, person_id: str) -> Who:
    """The addressee of a customer or a contact. An id of its own: the customer is another subject."""
    addressee_id = identity.of("addressee", "manyi/customer", person_id)
    return Who(addressee_id=addressee_id, customer_id=customer_id, person_id=person_id)


async def asked_as(ledger: Ledger, identity: Identity, customer_id: str) -> str:
    """The customer itself, or the one into whose file its own went: that one is not merged in turn."""
    addressee_id = who_is(identity, customer_id, customer_id).addressee_id
    found = await ledger.database[COLLECTION].find_one({"_id": addressee_id}, {"merged_into": 1})
    return customer_id if found is None else found.get("merged_into") or customer_id


def as_invitation(invitation_id: str, invitation: Invitation) -> dict[str, Any]:
    """One invitation as JSON."""
    shown = ShownInvitation.model_validate({**invitation.model_dump(), "invitation_id": invitation_id})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/campaigns/{campaign_id}/invitations."""
    router = APIRouter(prefix="/v1/campaigns", tags=["invitations"])

    @router.get(
        "/{campaign_id}/invitations",
        response_model_exclude_none=True,
        summary="Who is asked, and who is left alone",
        dependencies=[allowed("campaign.read")],
    )
    async def list_invitations(
        campaign_id: Code,
        status: Literal["planned", "suppressed"] | None = None,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> InvitationPage:
        query: dict[str, Any] = {"campaign_id": campaign_id}
        if status is not None:
            query["status"] = status
        if after is not None:
            query["_id"] = {"$gt": after}
        found = await ledger.database[INVITATIONS].find(query).sort("_id", 1).limit(limit + 1).to_list()
        shown = [ShownInvitation.model_validate({**one, "invitation_id": one["_id"]}) for one in found[:limit]]
        return InvitationPage(invitations=shown, next=shown[-1].invitation_id if len(found) > limit else None)

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes; safe to repeat."""
    await ledger.database[INVITATIONS].create_index([("campaign_id", 1), ("_id", 1)])
    await ledger.database[INVITATIONS].create_index("owner")
