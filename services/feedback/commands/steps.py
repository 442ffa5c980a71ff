"""What the steps of our own desk have in common: the case in the path, the words in the body, one transaction."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.feedback.model.case import Case
from services.feedback.views.case_file import STORED, as_case
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.commands import Asked, carry_out
from shared.plumbing.journal import Ledger, Task

Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class Step(BaseModel):
    """Body of a step. `by` is who took it, when that is not who sends it."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
    by: Code | None = Field(None, examples=["u-17"])


def written(kind: str, text: str | None) -> dict[str, object]:
    """Words to keep with the step, under an id of their own; nothing when nothing was written."""
    return {} if text is None else {uuid.uuid4().hex: {"kind": kind, "text": text}}


async def take_step(
    ledger: Ledger,
    case_id: str,
    request: Asked,
    body: Step,
    rule: Callable[[Case | None, datetime, str], Sequence[Said]],
) -> JSONResponse:
    """Decide the step now, by whom the body names or else the caller; answers the case after it."""
    by = body.by or request.actor

    def decide(state: Case | None, scene: Scene) -> Sequence[Said]:
        return rule(state, scene.now, by)

    return await carry_out(ledger, Task(STORED, case_id, decide), request, as_case, status=200)
