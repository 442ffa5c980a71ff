"""Resolve a case: its solution, kept sealed, and that the customer knows of it (S1-10)."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.feedback.commands.steps import Step, Text, take_step, written
from services.feedback.model.own_desk import resolve
from services.feedback.views.case_file import CaseFile
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger


class ResolveCase(Step):
    """The solution, and that the customer was told of it (S1-10)."""

    solution: Text = Field(examples=["更换主板并致电说明。"])
    customer_notified: bool
    outcome: Code | None = Field(None, examples=["replaced"])


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/cases/{case_id}/resolve."""
    router = APIRouter(prefix="/v1/cases", tags=["steps"])

    @router.post(
        "/{case_id}/resolve",
        response_model=CaseFile,
        summary="Resolve a case with its solution",
        dependencies=[allowed("case.handle", rows=True)],
    )
    async def post_resolve_case(
        case_id: Code, body: ResolveCase, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        words = written("solution", body.solution)
        return await take_step(
            ledger,
            case_id,
            request,
            body,
            lambda state, at, by: resolve(state, at, by, body.outcome, body.customer_notified, words),
        )

    return router
