"""Close a resolved case."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.feedback.commands.steps import Step, take_step
from services.feedback.model.own_desk import close
from services.feedback.views.case_file import CaseFile
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


class CloseCase(Step):
    """How it ended; without an outcome that of the resolution stands."""

    outcome: Code | None = Field(None, examples=["replaced"])


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/cases/{case_id}/close."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/close",
        response_model=CaseFile,
        summary="Close a resolved case",
        dependencies=[allowed("case.handle", rows=True)],
    )
    async def post_close_case(
        case_id: Code, body: CloseCase, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        return await take_step(ledger, case_id, request, body, lambda state, at, by: close(state, at, by, body.outcome))

    return router
