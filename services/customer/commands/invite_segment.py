"""Invite the members of a segment, within the caller's reach, to a company event (S1-18, S2-06)."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends

from services.customer.commands.hold_events import inviting
from services.customer.desk import STORED, Desk
from services.customer.model.choosing_rule import RULE
from services.customer.model.company_events import invitation_of, invite, standing
from services.customer.model.consenting import SendingNotPermitted
from services.customer.model.consents import consent_id
from services.customer.model.customer import Customer
from services.customer.model.segments import SegmentUnknown, kept
from services.customer.views.company_events import EVENTS
from services.customer.views.customer_file import Shown
from services.customer.views.segments import SEGMENTS, members
from shared.contracts.decision import Invalid, Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, perform
from shared.plumbing.journal import Ledger, Task

MOST_GUESTS = 5_000
AT_ONCE = 100
Inviting = Annotated[Permit, allowed("interaction.log", rows=True)]


class SegmentTooLarge(Invalid):
    SLUG = "segment-too-large"


class InviteSegment(Body):
    """Whose members."""

    segment_id: Code


class InvitedSegment(Shown):
    """How many of the members are invited now, and how many may not be written to; asked again, nobody is twice."""

    members: int
    invited: int
    unwilling: int


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/company-events/{event_id}/segment-invitations."""
    router = APIRouter(prefix="/v1/company-events", tags=["company events"])

    async def chosen(segment_id: str, permit: Permit) -> list[str]:
        document = await ledger.database["segments"].find_one({"_id": segment_id})
        if document is None:
            raise SegmentUnknown(f"there is no segment {segment_id}; list them first")
        segment = kept((await ledger.read_head(SEGMENTS, document)).state, segment_id)
        query = {"$and": [members(RULE.validate_python(segment.rule), ledger.clock.now()), permit.where()]}
        cursor = ledger.database["customers"].find(query, {"_id": 1}).sort("_id", 1)
        found = await cursor.limit(MOST_GUESTS + 1).to_list()
        if len(found) > MOST_GUESTS:
            raise SegmentTooLarge(f"more than {MOST_GUESTS} customers are in the segment; invite by a narrower one")
        return [one["_id"] for one in found]

    @router.post(
        "/{event_id}/segment-invitations", summary="Invite the members of a segment who may be written to, within reach"
    )
    async def invite_segment(
        event_id: Code, body: InviteSegment, permit: Inviting, request: Annotated[Asked, Depends(asked)]
    ) -> InvitedSegment:
        unwilling: set[str] = set()

        def task(customer_id: str) -> Task[Customer]:
            def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
                event = standing(scene.others[event_id], event_id)
                policy, purpose = inviting(desk, scene.now)
                if state is None or state.merged_into is not None or state.erased_at is not None:
                    return []
                try:
                    return invite(state, event, None, purpose, policy, scene.now)
                except SendingNotPermitted:
                    unwilling.add(customer_id)
                    return []

            entry = consent_id(customer_id, inviting(desk, desk.clock.now())[1])
            parts = {
                "invitations": frozenset({invitation_of(event_id, customer_id, None)}),
                "consents": frozenset({entry}),
            }
            return Task(STORED, customer_id, rule, parts, ((EVENTS, event_id),), follow=False)

        customers = await chosen(body.segment_id, permit)
        for first in range(0, len(customers), AT_ONCE):
            await perform(ledger, [task(one) for one in customers[first : first + AT_ONCE]], request.cause)
        invited = len(customers) - len(unwilling)
        return InvitedSegment(members=len(customers), invited=invited, unwilling=len(unwilling))

    return router
