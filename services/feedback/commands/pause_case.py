"""Wait for the customer."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.feedback.commands.steps import Step, take_step
from services.feedback.model.own_desk import pause
from services.feedback.views.case_file import CaseFile
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


class PauseCase(Step):
    """Why the desk waits, as a code."""

    reason: Code = "waiting_customer"


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/cases/{case_id}/pause."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/pause",
        response_model=CaseFile,
        summary="Wait for the customer",
        dependencies=[allowed("case.handle", rows=True)],
    )
    async def post_pause_case(
        case_id: Code, body: PauseCase, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        return await take_step(ledger, case_id, request, body, lambda state, at, by: pause(state, at, by, body.reason))

    return router
