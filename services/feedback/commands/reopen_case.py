"""Reopen a case that was resolved or closed: another cycle of it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.feedback.commands.steps import Step, Text, take_step, written
from services.feedback.model.own_desk import reopen
from services.feedback.views.case_file import CaseFile
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


class ReopenCase(Step):
    """Why there is more to do: a code for all, and words that stay here."""

    reason: Code | None = Field(None, examples=["not_fixed"])
    text: Text | None = None


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/cases/{case_id}/reopen."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/reopen",
        response_model=CaseFile,
        summary="Reopen a resolved or closed case",
        dependencies=[allowed("case.handle", rows=True)],
    )
    async def post_reopen_case(
        case_id: Code, body: ReopenCase, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        words = written("reason", body.text)
        return await take_step(
            ledger, case_id, request, body, lambda state, at, by: reopen(state, at, by, body.reason, words)
        )

    return router
