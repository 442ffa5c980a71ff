"""Ask for a change of key fields, decide on it, correct it or take it back, by HTTP (S2-19).

What is asked for is compared with the other files, as a new file would be, and once it is in force a like one is noted.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.commands.decide_request import Decision, Withdrawal
from services.customer.commands.register_customer import CustomerFields
from services.customer.desk import STORED, Desk, at_home
from services.customer.duplicates import Candidate, Duplicates, Thresholds
from services.customer.model.customer import Customer
from services.customer.model.key_changes import ask, ask_again, decide, withdraw
from services.customer.model.likeness import COMPARED, compared
from services.customer.views.duplicates import ScoredHit, scored
from services.customer.views.key_changes import ShownKeyChange, as_key_change
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.policy.approvals.acting import Acting


class KeyFieldsWanted(CustomerFields):
    """Another value of key fields. The credit goes alone: it changes by approval only, also where it has none yet."""

    credit: Code | None = Field(None, examples=["good"], description="A word of customer.credit.levels.")


class AskedKeyChange(ShownKeyChange):
    """A request that was just made; `alike` are the files that this one would be like, masked: look before it is
    decided."""

    alike: list[ScoredHit] = []


def routes(ledger: Ledger, desk: Desk, duplicates: Duplicates) -> APIRouter:
    """POST below /v1/customers/{customer_id}/key-changes."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/key-changes", tags=["key changes"])

    async def like(customer_id: str, wanted: Mapping[str, Any]) -> list[Candidate]:
        """Files that this one is like with these values."""
        document = await ledger.database["customers"].find_one({"_id": customer_id})
        if document is None or not set(wanted) & set(COMPARED):
            return []
        state = (await ledger.read_head(STORED, document)).state
        fields = {} if state is None else {**compared(state), **wanted}
        return await duplicates.like(fields, customer_id, Thresholds.of(desk.policies, desk.today()).shown)

    async def put_forward(
        task: Task[Customer], request_id: str, wanted: Mapping[str, Any], request: Asked, status: int
    ) -> JSONResponse:
        alike = await like(task.subject, wanted)

        def reply(loaded: Loaded[Customer]) -> dict[str, Any]:
            hits = [scored(one).model_dump(mode="json", by_alias=True, exclude_none=True) for one in alike]
            return {**_shown(request_id, loaded), **({"alike": hits} if hits else {})}

        answer = await carry_out(ledger, task, request, reply, status)
        if request.permit is not None:
            request.permit.hit([one.customer.customer_id for one in alike], "masked")
        return answer

    @router.post(
        "",
        status_code=201,
        response_model=AskedKeyChange,
        summary="Ask to change key fields; the old values stay in force",
        dependencies=[allowed("keychange.request", rows=True)],
    )
    async def request_change(
        customer_id: Code,
        body: KeyFieldsWanted,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        fields: dict[str, Any] = body.model_dump(exclude_unset=True)
        request_id = uuid.uuid4().hex

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            desk.filing(scene.now).check(fields)
            if state is None:
                return []
            return ask(state, request_id, fields, who, desk.policies, desk.day(scene.now), scene.now)

        return await put_forward(Task(STORED, customer_id, rule), request_id, fields, request, 201)

    @router.post(
        "/{request_id}/decisions",
        response_model=ShownKeyChange,
        summary="Approve, reject or return the waiting step",
        dependencies=[allowed("keychange.approve", rows=True)],
    )
    async def decide_change(
        customer_id: Code,
        request_id: Code,
        body: Decision,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            about = at_home(customer_id, scene.now, state)
            step = (body.step, body.cycle)
            return [] if state is None else decide(state, about, request_id, who, body.decision, step, body.reason)

        in_force: dict[str, Any] = {}

        def reply(loaded: Loaded[Customer]) -> dict[str, Any]:
            change = None if loaded.state is None else loaded.state.key_changes[request_id]
            if change is not None and change.approval.status == "approved":
                in_force.update(change.values)
            return _shown(request_id, loaded)

        answer = await carry_out(ledger, _task(customer_id, request_id, rule), request, reply, status=200)
        await duplicates.note(customer_id, await like(customer_id, in_force))
        return answer

    @router.post(
        "/{request_id}/resubmission",
        response_model=AskedKeyChange,
        summary="Send a returned request again, corrected",
        dependencies=[allowed("keychange.request", rows=True)],
    )
    async def correct_change(
        customer_id: Code,
        request_id: Code,
        body: KeyFieldsWanted,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        fields: dict[str, Any] = body.model_dump(exclude_unset=True)

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            desk.filing(scene.now).check(fields)
            if state is None:
                return []
            return ask_again(state, request_id, fields, who, desk.policies, desk.day(scene.now), scene.now)

        return await put_forward(_task(customer_id, request_id, rule), request_id, fields, request, 200)

    @router.post(
        "/{request_id}/withdrawal",
        response_model=ShownKeyChange,
        summary="Take a request back before it is decided",
        dependencies=[allowed("keychange.request", rows=True)],
    )
    async def withdraw_change(
        customer_id: Code,
        request_id: Code,
        body: Withdrawal,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            return [] if state is None else withdraw(state, request_id, who, body.reason, scene.now)

        task = _task(customer_id, request_id, rule)
        return await carry_out(ledger, task, request, lambda one: _shown(request_id, one), status=200)

    return router


def _task(
    customer_id: str,
    request_id: str,
    rule: Callable[[Customer | None, Scene], Sequence[Said]],
) -> Task[Customer]:
    return Task(STORED, customer_id, rule, {"key_changes": frozenset({request_id})})


def _shown(request_id: str, loaded: Loaded[Customer]) -> dict[str, Any]:
    if loaded.state is None:
        raise ValueError("a rule that answered has a file")
    state = loaded.state
    shown = as_key_change(state.customer_id, request_id, state.key_changes[request_id])
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"values"})
