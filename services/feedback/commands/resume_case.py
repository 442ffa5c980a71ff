"""Go on with a case that waited for the customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.feedback.commands.steps import Step, take_step
from services.feedback.model.case import Case
from services.feedback.model.deadlines import Deadlines
from services.feedback.model.own_desk import resume
from services.feedback.views.case_file import CaseFile
from shared.contracts.decision import Said
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


def routes(ledger: Ledger, deadlines: Deadlines) -> APIRouter:
    """POST /v1/cases/{case_id}/resume."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/resume",
        response_model=CaseFile,
        summary="Go on after waiting",
        dependencies=[allowed("case.handle", rows=True)],
    )
    async def post_resume_case(case_id: Code, body: Step, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def rule(state: Case | None, at: datetime, by: str) -> Sequence[Said]:
            return resume(state, at, by, deadlines.resumed)

        return await take_step(ledger, case_id, request, body, rule)

    return router
