"""Plan company events, invite customers, and note what they answer and whether they come, by HTTP (S1-18, S3-26)."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.desk import STORED, Desk, at_home
from services.customer.model.company_events import (
    CompanyEvent,
    answer,
    attend,
    cancel,
    invitation_of,
    invite,
    plan_event,
    standing,
)
from services.customer.model.consenting import Purposes
from services.customer.model.consents import consent_id
from services.customer.model.customer import Customer
from services.customer.views.company_events import EVENTS, ShownEvent, ShownInvitation, as_event, as_invitation
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task

Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class PlanEvent(Body):
    """What is held, when and where."""

    kind: Code = Field(examples=["salon"])
    title: Text = Field(examples=["精密测量技术沙龙"])
    place: Text | None = Field(None, examples=["苏州"])
    starts_at: Moment


class Cancel(Body):
    """Why, as a code."""

    reason: Code = Field(examples=["too_few_guests"])


class Invite(Body):
    """To which event; a contact, or else the customer."""

    event_id: Code
    contact_id: Code | None = None


class Answer(Body):
    """What the guest says."""

    answer: Literal["accepted", "declined"]


class Attendance(Body):
    """Whether the guest came."""

    attended: bool
    note: Text | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST below /v1/company-events and /v1/customers/{customer_id}/invitations."""
    router = APIRouter(prefix="/v1", tags=["company events"])

    @router.post(
        "/company-events",
        status_code=201,
        response_model=ShownEvent,
        summary="Plan an event for customers",
        dependencies=[allowed("company_event.write")],
    )
    async def post_event(body: PlanEvent, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        event_id = uuid.uuid4().hex
        words = body.model_dump(include={"title", "place"}, exclude_none=True)

        def rule(_state: CompanyEvent | None, scene: Scene) -> Sequence[Said]:
            kinds = desk.policies.value("event.kinds", desk.day(scene.now))
            return plan_event(event_id, body.kind, kinds, body.starts_at, words, scene.now)

        return await carry_out(ledger, Task(EVENTS, event_id, rule), request, as_event)

    @router.post(
        "/company-events/{event_id}/cancel",
        response_model=ShownEvent,
        summary="Say that an event does not take place",
        dependencies=[allowed("company_event.write")],
    )
    async def post_cancel(event_id: Code, body: Cancel, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def rule(state: CompanyEvent | None, scene: Scene) -> Sequence[Said]:
            return cancel(state, event_id, body.reason, scene.now)

        return await carry_out(ledger, Task(EVENTS, event_id, rule), request, as_event, status=200)

    @router.post(
        "/customers/{customer_id}/invitations",
        status_code=201,
        response_model=ShownInvitation,
        summary="Invite a customer to an event",
        dependencies=[allowed("interaction.log", rows=True)],
    )
    async def post_invitation(
        customer_id: Code, body: Invite, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        invitation_id = invitation_of(body.event_id, customer_id, body.contact_id)

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            event = standing(scene.others[body.event_id], body.event_id)
            policy, purpose = inviting(desk, scene.now)
            return [] if state is None else invite(state, event, body.contact_id, purpose, policy, scene.now)

        entry = consent_id(body.contact_id or customer_id, inviting(desk, desk.clock.now())[1])
        parts = {"invitations": frozenset({invitation_id}), "consents": frozenset({entry})}
        if body.contact_id is not None:
            parts["contacts"] = frozenset({body.contact_id})
        others = ((EVENTS, body.event_id),)
        # Guests stay in the file they were noted in, also when that is merged into another.
        task = Task(STORED, customer_id, rule, parts, others, follow=False)
        return await carry_out(ledger, task, request, lambda loaded: _shown(invitation_id, loaded))

    async def note(
        customer_id: str,
        invitation_id: str,
        step: Callable[[Customer, Scene], Sequence[Said]],
        request: Asked,
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            return [] if state is None else step(state, scene)

        parts = {"invitations": frozenset({invitation_id})}
        task = Task(STORED, customer_id, rule, parts, follow=False)
        return await carry_out(ledger, task, request, lambda loaded: _shown(invitation_id, loaded), status=200)

    @router.post(
        "/customers/{customer_id}/invitations/{invitation_id}/answer",
        response_model=ShownInvitation,
        summary="Note what a guest answers",
        dependencies=[allowed("interaction.log", rows=True)],
    )
    async def post_answer(
        customer_id: Code, invitation_id: Code, body: Answer, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer, scene: Scene) -> Sequence[Said]:
            return answer(state, invitation_id, body.answer, scene.now)

        return await note(customer_id, invitation_id, step, request)

    @router.post(
        "/customers/{customer_id}/invitations/{invitation_id}/attendance",
        response_model=ShownInvitation,
        summary="Note whether a guest came; who came was spoken with",
        dependencies=[allowed("interaction.log", rows=True)],
    )
    async def post_attendance(
        customer_id: Code, invitation_id: Code, body: Attendance, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer, scene: Scene) -> Sequence[Said]:
            about = at_home(customer_id, scene.now, state)
            return attend(state, about, invitation_id, body.attended, body.note, scene.now)

        return await note(customer_id, invitation_id, step, request)

    return router


def inviting(desk: Desk, now: datetime) -> tuple[Purposes, str]:
    """What the policies say of purposes, and for which of them guests are invited. Raises LimitUnset."""
    on = desk.day(now)
    return Purposes.of(desk.policies, on), str(desk.policies.value("consent.invitation.purpose", on).value)


def _shown(invitation_id: str, loaded: Loaded[Customer]) -> dict[str, Any]:
    if loaded.state is None:
        raise ValueError("a rule that answered has a file")
    return as_invitation(loaded.state.customer_id, invitation_id, loaded.state.invitations[invitation_id])
