"""Keep the days of customers and of the people there, and say on which of them they were greeted, by HTTP (S1-19)."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field, field_validator, model_validator

from services.customer.desk import STORED, Desk, at_home
from services.customer.model.care_days import Occasions, Wish, drop_day, greet, greet_on_holiday, note_day
from services.customer.model.consenting import Purposes
from services.customer.model.customer import Customer
from services.customer.model.yearly import YearlyDay
from services.customer.views.care import Dropped, ShownCareDay, ShownGreeting, as_care_day, as_greeting
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task

Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Step = Callable[[Customer, Scene], Sequence[Said]]


class NoteDay(Body):
    """A day of the year and what for; a contact's birthday names the contact."""

    occasion: Code = Field(examples=["birthday"])
    day: YearlyDay = Field(examples=[{"calendar": "lunar", "month": 8, "day": 15}])
    contact_id: Code | None = None
    label: Text | None = Field(None, examples=["公司成立"])


class Greet(Body):
    """Greeted or skipped: on a day that is kept for the customer (`careId`), or on a holiday."""

    care_id: Code | None = None
    holiday: Code | None = Field(None, examples=["mid_autumn"])
    on: date
    outcome: Literal["greeted", "skipped"]
    note: Text | None = None

    @field_validator("on")
    @classmethod
    def _known(cls, on: date) -> date:
        if not 2000 <= on.year <= 2090:
            raise ValueError("a greeting is for a day between the years 2000 and 2090")
        return on

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.care_id is None) is (self.holiday is None):
            raise ValueError("say either careId or holiday")
        return self


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST below /v1/customers/{customer_id}/care-days and …/greetings."""
    router = APIRouter(prefix="/v1/customers/{customer_id}", tags=["care calendar"])

    async def record(
        customer_id: str,
        step: Step,
        parts: Mapping[str, str],
        request: Asked,
        reply: Callable[[Customer], dict[str, Any]],
        status: int = 201,
        whole: frozenset[str] = frozenset(),
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            return [] if state is None else step(state, scene)

        wanted = {name: frozenset({identifier}) for name, identifier in parts.items()}
        # The days of people stay in the file that the people were noted in.
        task = Task(STORED, customer_id, rule, wanted, whole=whole, follow=False)
        return await carry_out(ledger, task, request, lambda loaded: reply(_known(loaded.state)), status=status)

    @router.post(
        "/care-days",
        status_code=201,
        response_model=ShownCareDay,
        summary="Keep a day of the customer or of a contact",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_day(customer_id: Code, body: NoteDay, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        care_id = uuid.uuid4().hex

        def step(state: Customer, scene: Scene) -> Sequence[Said]:
            known = Occasions.of(desk.policies, desk.day(scene.now))
            return note_day(state, care_id, body.occasion, known, body.day, body.contact_id, body.label, scene.now)

        parts = {"care_days": care_id} | ({} if body.contact_id is None else {"contacts": body.contact_id})
        today = desk.today()
        return await record(
            customer_id, step, parts, request, lambda state: as_care_day(care_id, state.care_days[care_id], today)
        )

    @router.post(
        "/care-days/{care_id}/drop",
        response_model=Dropped,
        summary="Keep a day no longer",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_drop(customer_id: Code, care_id: Code, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        return await record(
            customer_id,
            lambda state, scene: drop_day(state, care_id, scene.now),
            {"care_days": care_id},
            request,
            lambda _state: {"careId": care_id},
            status=200,
        )

    @router.post(
        "/greetings",
        status_code=201,
        response_model=ShownGreeting,
        summary="Say that the customer was greeted, or why not",
        dependencies=[allowed("interaction.log", rows=True)],
    )
    async def post_greeting(customer_id: Code, body: Greet, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        # A keyed hash: whoever reads the id cannot try the days of a year out.
        greeting_id = desk.identity.of("greeting", customer_id, f"{body.care_id or body.holiday}\x1f{body.on}")

        def step(state: Customer, scene: Scene) -> Sequence[Said]:
            wish = Wish(greeting_id, body.on, body.outcome, body.note, scene.now)
            policy = Purposes.of(desk.policies, desk.day(scene.now))
            if body.care_id is not None:
                return greet(state, wish, body.care_id, policy)
            holiday = str(body.holiday)
            Occasions.of(desk.policies, desk.day(scene.now)).holiday(holiday, body.on)
            return greet_on_holiday(state, wish, holiday, policy)

        parts = {"greetings": greeting_id} | ({} if body.care_id is None else {"care_days": body.care_id})
        # Whose day it is, and so whose consent counts, is only known from the day.
        return await record(
            customer_id,
            step,
            parts,
            request,
            lambda state: as_greeting(greeting_id, state.greetings[greeting_id]),
            whole=frozenset({"consents", "contacts"}),
        )

    return router


def _known(state: Customer | None) -> Customer:
    if state is None:
        raise ValueError("a rule that answered has a file")
    return state
