"""Make two files of one again, by those whom the policy lets decide on merges (S2-15)."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.merging import Act, NotYoursToMerge, release, take_back
from services.customer.views.customer_file import CustomerFile, as_file
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task
from shared.policy.approvals.acting import Acting

BUSINESS = frozenset({"purchases", "contracts", "entitlements", "consents"})
Reason = Annotated[str, Field(min_length=1, max_length=2_000)]
Rule = Callable[[Act, Customer | None, Customer | None], list[Said]]


class Undo(Body):
    """Why."""

    reason: Reason = Field(examples=["两家不同的公司"])


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/customers/{customer_id}/unmerge."""
    router = APIRouter(prefix="/v1", tags=["merges"])

    @router.post(
        "/customers/{customer_id}/unmerge",
        response_model=CustomerFile,
        summary="Take a file out again",
        dependencies=[allowed("merge.approve", rows=True)],
    )
    async def post_unmerge(
        customer_id: Code,
        body: Undo,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        document = await ledger.database["customers"].find_one({"_id": customer_id}, {"merged_into": 1})
        # Of a file that is not merged the rule says so, whichever second file it is shown.
        survivor = (document or {}).get("merged_into") or customer_id
        act = partial(_act, desk, who, uuid.uuid4().hex, body.reason)
        first = _task(act, take_back, customer_id, survivor, customer_id)
        second = _task(act, release, survivor, survivor, customer_id)
        return await carry_out(ledger, first, request, partial(as_file, desk), status=200, also=[second])

    return router


def _act(desk: Desk, who: Acting, merge_id: str, reason: str, now: datetime) -> Act:
    route = desk.policies.route("merge.chain", desk.day(now))
    if not who.roles & set(route.steps):
        raise NotYoursToMerge(f"files are unmerged by {', '.join(route.steps)}; ask one of them")
    return Act(merge_id, now, reason, route.policy_version)


def _task(act: Callable[[datetime], Act], rule: Rule, subject: str, survivor: str, merged: str) -> Task[Customer]:
    def decide(state: Customer | None, scene: Scene) -> Sequence[Said]:
        files = {**scene.others, subject: state}
        return rule(act(scene.now), files.get(survivor), files.get(merged))

    others = tuple((STORED, one) for one in {survivor, merged} - {subject})
    return Task(STORED, subject, decide, others=others, whole=BUSINESS, follow=False)
