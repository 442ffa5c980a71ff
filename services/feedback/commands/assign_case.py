"""Assign a case of our own desk to somebody, or hand it on."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.feedback.commands.steps import Step, take_step
from services.feedback.model.own_desk import assign
from services.feedback.views.case_file import CaseFile
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


class AssignCase(Step):
    """Who is answerable for the case from now on."""

    assignee: Code = Field(examples=["u-23"])


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/cases/{case_id}/assign."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/assign",
        response_model=CaseFile,
        summary="Assign a case, or hand it on",
        dependencies=[allowed("case.assign", rows=True)],
    )
    async def post_assign_case(
        case_id: Code, body: AssignCase, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        return await take_step(
            ledger, case_id, request, body, lambda state, at, by: assign(state, at, by, body.assignee)
        )

    return router
