"""Plan visits and receptions, agree to plans, call them off, and record what came of them, by HTTP (S1-08, S3-09)."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.commands.decide_request import Reason
from services.customer.desk import STORED as CUSTOMERS
from services.customer.desk import Desk, at_home
from services.customer.model.approving import Verdict
from services.customer.model.customer import Customer
from services.customer.model.files import log_interaction, unless_erased
from services.customer.model.visit_plans import Plan, ask_again, decide, plan
from services.customer.model.visits import Report, Visit, cancel, complete, record
from services.customer.views.visits import STORED, ShownVisit, as_visit, customer_of
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Moment
from shared.contracts.visits import VisitKind
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task
from shared.policy.approvals.acting import Acting

Text = Annotated[str, Field(max_length=20_000)]
Rule = Callable[[Visit | None, Customer | None, datetime], Sequence[Said]]


class PlanVisit(Body):
    """Who sees which customer when, and what for (kept here, sealed); without `staffId` whoever plans goes."""

    customer_id: Code
    kind: VisitKind = "visit"
    planned_for: Moment
    staff_id: Code | None = None
    purpose: Text | None = Field(None, examples=["年度回访"])


class PlanDecision(Body):
    """Yes or no to the plan as it was proposed in this cycle, or back for a correction; all but a yes need a reason."""

    decision: Verdict
    cycle: Annotated[int, Field(ge=1)] = 1
    reason: Reason | None = Field(None, examples=["与展会同日，请改期"])


class CorrectedPlan(Body):
    """When now; who goes and what for stay as they were unless named."""

    planned_for: Moment = Field(examples=["2026-12-08T09:30:00+08:00"])
    staff_id: Code | None = None
    purpose: Text | None = None


class Cancellation(Body):
    """Why it does not take place."""

    reason: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(examples=["客户改期"])


class Completion(Body):
    """What came of it: outcome and needs as codes; key facts and report are kept here, sealed.

    `inquiry` is the category of a question that stayed open: the feedback service opens an inquiry for it.
    """

    at: Moment | None = None
    outcome: Code = Field(examples=["order_expected"])
    needs: Annotated[list[Code], Field(max_length=50)] = Field([], examples=[["calibration"]])
    key_facts: Text | None = None
    report: Text | None = None
    contact_id: Code | None = None
    inquiry: Code | None = Field(None, examples=["delivery"])


class UnplannedVisit(Completion):
    """The same of one that nobody had planned, such as a customer who came by."""

    customer_id: Code
    kind: VisitKind = "reception"
    staff_id: Code | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/visits, …/unplanned; of one …/decisions, …/resubmission, …/cancellation, …/completion."""
    router = APIRouter(prefix="/v1/visits", tags=["visits"])

    def task(visit_id: str, customer_id: str, rule: Rule) -> Task[Visit]:
        def decide_on(state: Visit | None, scene: Scene) -> Sequence[Said]:
            return rule(state, scene.others[customer_id], scene.now)

        file = ((CUSTOMERS, customer_id),)
        return Task(STORED, visit_id, decide_on, others=file, person=customer_id, rows=file)

    def conversation(visit_id: str, customer_id: str, staff: str, kind: str, told: Report) -> Task[Customer]:
        """Beside the visit: its customer was spoken with, which is what cadence and timeline go by."""

        def rule(state: Customer | None, _scene: Scene) -> Sequence[Said]:
            who = at_home(customer_id, told.at, state)
            details: dict[str, Any] = {"staff_id": staff, "needs": list(told.needs)}
            return log_interaction(state, who, visit_id, kind, details, None)

        return Task(CUSTOMERS, customer_id, rule)

    @router.post(
        "",
        status_code=201,
        response_model=ShownVisit,
        summary="Plan a visit or a reception",
        dependencies=[allowed("visit.plan", rows=True)],
    )
    async def plan_visit(
        body: PlanVisit, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        visit_id, customer_id = uuid.uuid4().hex, body.customer_id
        wanted = Plan(body.kind, body.planned_for, body.staff_id or who.person, body.purpose)

        def rule(_state: Visit | None, file: Customer | None, now: datetime) -> Sequence[Said]:
            return plan(visit_id, wanted, customer_id, file, who, desk.policies, desk.day(now), now)

        return await carry_out(ledger, task(visit_id, customer_id, rule), request, as_visit)

    @router.post(
        "/unplanned",
        status_code=201,
        response_model=ShownVisit,
        summary="Record a visit or a reception that nobody had planned",
        dependencies=[allowed("visit.record", rows=True)],
    )
    async def record_visit(
        body: UnplannedVisit, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        visit_id, customer_id, kind = uuid.uuid4().hex, body.customer_id, body.kind
        staff, told = body.staff_id or who.person, _report(body, ledger)

        def rule(_state: Visit | None, file: Customer | None, now: datetime) -> Sequence[Said]:
            return record(visit_id, kind, staff, told, customer_id, file, desk.policies, desk.day(now))

        also = [conversation(visit_id, customer_id, staff, kind, told)]
        return await carry_out(ledger, task(visit_id, customer_id, rule), request, as_visit, also=also)

    @router.post(
        "/{visit_id}/decisions",
        response_model=ShownVisit,
        summary="Agree to a proposed plan, reject or return it",
        dependencies=[allowed("visit.approve", rows=True)],
    )
    async def decide_plan(
        visit_id: Code,
        body: PlanDecision,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Visit | None, _file: Customer | None, now: datetime) -> Sequence[Said]:
            return decide(state, who, body.decision, body.cycle, now, body.reason)

        known = await customer_of(ledger, visit_id)
        return await carry_out(ledger, task(visit_id, known["customer_id"], rule), request, as_visit, status=200)

    @router.post(
        "/{visit_id}/resubmission",
        response_model=ShownVisit,
        summary="Send a returned plan again, corrected",
        dependencies=[allowed("visit.plan", rows=True)],
    )
    async def correct_plan(
        visit_id: Code,
        body: CorrectedPlan,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        wanted = (body.planned_for, body.staff_id, body.purpose)

        def rule(state: Visit | None, file: Customer | None, now: datetime) -> Sequence[Said]:
            if body.purpose is not None:
                unless_erased(file)
            return ask_again(state, *wanted, who, desk.policies, desk.day(now), now)

        known = await customer_of(ledger, visit_id)
        return await carry_out(ledger, task(visit_id, known["customer_id"], rule), request, as_visit, status=200)

    @router.post(
        "/{visit_id}/cancellation",
        response_model=ShownVisit,
        summary="Call a visit off",
        dependencies=[allowed("visit.plan", rows=True)],
    )
    async def cancel_visit(
        visit_id: Code, body: Cancellation, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def rule(state: Visit | None, _file: Customer | None, now: datetime) -> Sequence[Said]:
            return cancel(state, now, body.reason)

        known = await customer_of(ledger, visit_id)
        return await carry_out(ledger, task(visit_id, known["customer_id"], rule), request, as_visit, status=200)

    @router.post(
        "/{visit_id}/completion",
        response_model=ShownVisit,
        summary="Record what came of a planned visit",
        dependencies=[allowed("visit.record", rows=True)],
    )
    async def complete_visit(
        visit_id: Code, body: Completion, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        known = await customer_of(ledger, visit_id)
        told, customer_id = _report(body, ledger), known["customer_id"]

        def rule(state: Visit | None, file: Customer | None, now: datetime) -> Sequence[Said]:
            return complete(state, told, file, desk.policies, desk.day(now))

        also = [conversation(visit_id, customer_id, known["staff_id"], known["kind"], told)]
        return await carry_out(ledger, task(visit_id, customer_id, rule), request, as_visit, status=200, also=also)

    return router


def _report(body: Completion, ledger: Ledger) -> Report:
    told = body.model_dump(include={"outcome", "key_facts", "report", "contact_id", "inquiry"})
    return Report(at=body.at or ledger.clock.now(), needs=tuple(body.needs), **told)
