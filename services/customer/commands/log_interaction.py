"""Contacts and conversations, from `contact.registered` and `interaction.logged`, or by HTTP."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.desk import STORED, Desk, at_home
from services.customer.model.customer import Customer
from services.customer.model.files import add_contact, log_interaction
from services.customer.views.dealings import LoggedInteraction, as_interaction
from shared.contracts import intake
from shared.contracts.decision import Invalid, Said, Scene
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Ledger, Task


class LogInteraction(Body):
    """A conversation: its kind (`interaction.kinds`, guidance among them), when, over which channel, what was said."""

    kind: Code = Field(examples=["visit"])
    at: Moment | None = None
    channel: Code | None = Field(None, examples=["phone"])
    staff_id: Code | None = None
    needs: list[Code] = []
    note: Annotated[str, Field(max_length=20_000)] | None = None


def understood(desk: Desk) -> list[Understood]:
    """The intake types of this use case."""

    def contact(heard: Heard) -> Task[Customer]:
        data: intake.ContactRegistered = heard.data
        who = desk.about(heard, data.customer)
        contact_id = desk.identity.of("contact", heard.source, f"{who.external_id}\x1f{data.contact}")
        person = data.model_dump(exclude={"customer", "contact"}, exclude_none=True)
        return desk.task(who, lambda state, who: add_contact(state, who, contact_id, person))

    def logged(heard: Heard) -> Task[Customer]:
        data: intake.InteractionLogged = heard.data
        who = desk.about(heard, data.customer)
        interaction_id = desk.identity.of("interaction", heard.source, data.interaction)
        details = data.model_dump(exclude={"customer", "interaction", "kind", "note"})
        return desk.task(
            who,
            lambda state, who: log_interaction(state, who, interaction_id, data.kind, details, data.note),
        )

    return [Understood(intake.ContactRegistered, contact), Understood(intake.InteractionLogged, logged)]


class InteractionKindUnknown(Invalid):
    SLUG = "interaction-kind-unknown"


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/customers/{customer_id}/interactions."""
    router = APIRouter(prefix="/v1/customers", tags=["interactions"])

    @router.post(
        "/{customer_id}/interactions",
        status_code=201,
        response_model=LoggedInteraction,
        summary="Log a conversation",
        dependencies=[allowed("interaction.log", rows=True)],
    )
    async def post_interaction(
        customer_id: Code, body: LogInteraction, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        interaction_id = uuid.uuid4().hex
        at = body.at or ledger.clock.now()

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            kinds = desk.policies.value("interaction.kinds", desk.day(scene.now))
            if body.kind not in kinds.value:
                raise InteractionKindUnknown(f"{body.kind!r} is no kind of contact; there are {', '.join(kinds.value)}")
            who = at_home(customer_id, at, state)
            details = body.model_dump(exclude={"kind", "at", "note"})
            return log_interaction(state, who, interaction_id, body.kind, details, body.note, kinds.version)

        def reply(loaded: Any) -> dict[str, Any]:
            return as_interaction(interaction_id, loaded.state.interactions[interaction_id])

        return await carry_out(ledger, Task(STORED, customer_id, rule), request, reply)

    return router
