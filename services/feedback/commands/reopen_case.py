"""Reopen a case that was resolved or closed: another cycle of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.feedback.commands.steps import Step, Text, take_step, written
from services.feedback.model.case import Case
from services.feedback.model.deadlines import Deadlines
from services.feedback.model.own_desk import reopen
from services.feedback.views.case_file import CaseFile
from shared.contracts.decision import Said
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


class ReopenCase(Step):
    """Why there is more to do: a code for all, and words that stay here."""

    reason: Code | None = Field(None, examples=["not_fixed"])
    text: Text | None = None


def routes(ledger: Ledger, deadlines: Deadlines) -> APIRouter:
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

        def rule(state: Case | None, at: datetime, by: str) -> Sequence[Said]:
            return reopen(state, at, by, body.reason, words, deadlines.begun)

        return await take_step(ledger, case_id, request, body, rule)

    return router
