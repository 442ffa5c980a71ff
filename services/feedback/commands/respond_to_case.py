"""Answer the customer; the answer itself is kept sealed."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.feedback.commands.steps import Step, Text, take_step, written
from services.feedback.model.own_desk import respond
from services.feedback.views.case_file import CaseFile
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


class RespondToCase(Step):
    """What the customer was answered; `human` false for an automatic answer."""

    human: bool = True
    text: Text = Field(examples=["已收到您的反馈，我们今天内给您答复。"])


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/cases/{case_id}/respond."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/respond",
        response_model=CaseFile,
        summary="Answer the customer",
        dependencies=[allowed("case.handle", rows=True)],
    )
    async def post_respond_to_case(
        case_id: Code, body: RespondToCase, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        words = written("reply", body.text)
        return await take_step(
            ledger, case_id, request, body, lambda state, at, by: respond(state, at, by, body.human, words)
        )

    return router
