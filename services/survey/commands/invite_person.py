"""Invite a customer, or a contact there, to a campaign; who said no to surveys is left alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.survey.model.addressee import PURPOSE, Addressee, invite
from services.survey.views.campaigns import STORED as CAMPAIGNS
from services.survey.views.invitations import STORED, ShownInvitation, as_invitation, asked_as, who_is
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.plumbing.settings import Settings


class InvitePerson(Body):
    """Whom to ask: a contact of the customer, or else the customer."""

    customer_id: Code = Field(examples=["5f0c2a9be1d84c7796a3b0d2e4f81c65"])
    contact_id: Code | None = None


def routes(ledger: Ledger, identity: Identity, settings: Settings) -> APIRouter:
    """POST /v1/campaigns/{campaign_id}/invitations."""
    router = APIRouter(prefix="/v1/campaigns", tags=["invitations"])
    policies = settings.read_policies()

    def takes_consent(now: datetime) -> bool:
        on = now.astimezone(settings.local_zone).date()
        return PURPOSE in policies.value("consent.separate", on).value

    @router.post(
        "/{campaign_id}/invitations",
        status_code=201,
        response_model=ShownInvitation,
        summary="Invite somebody; planned, or suppressed with the reason",
        dependencies=[allowed("campaign.write")],
    )
    async def post_invitation(
        campaign_id: Code, body: InvitePerson, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        customer_id = await asked_as(ledger, identity, body.customer_id)
        who = who_is(identity, customer_id, body.contact_id or customer_id)
        invitation_id = identity.of("invitation", campaign_id, who.person_id)

        def rule(state: Addressee | None, scene: Scene) -> Sequence[Said]:
            return invite(state, who, scene.others[campaign_id], invitation_id, takes_consent(scene.now), scene.now)

        def reply(loaded: Loaded[Addressee]) -> dict[str, Any]:
            if loaded.state is None:
                raise ValueError("who was invited is known")
            return as_invitation(invitation_id, loaded.state.invitations[invitation_id])

        parts = {"invitations": frozenset({invitation_id})}
        task = Task(STORED, who.addressee_id, rule, parts, ((CAMPAIGNS, campaign_id),))
        return await carry_out(ledger, task, request, reply)

    return router
