"""Acknowledge a case at our own desk."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.feedback.commands.steps import Step, take_step
from services.feedback.model.own_desk import acknowledge
from services.feedback.views.case_file import CaseFile
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/cases/{case_id}/acknowledge."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/acknowledge",
        response_model=CaseFile,
        summary="Acknowledge a case",
        dependencies=[allowed("case.handle", rows=True)],
    )
    async def post_acknowledge_case(
        case_id: Code, body: Step, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        return await take_step(ledger, case_id, request, body, acknowledge)

    return router
