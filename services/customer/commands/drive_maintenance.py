"""One plan for every customer of a grade within the caller's reach (S3-02)."""

import hashlib
import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from services.customer.commands.plan_maintenance import MakePlan, plan_of_drive
from services.customer.desk import STORED
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.plans import plan
from services.customer.views.customer_file import Shown
from shared.contracts.decision import Invalid, Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed
from shared.plumbing.commands import Asked, asked, perform
from shared.plumbing.journal import Ledger, Task

MOST_CUSTOMERS = 5_000
AT_ONCE = 100
Driving = Annotated[Permit, allowed("customer.write", rows=True)]


class DriveTooLarge(Invalid):
    SLUG = "maintenance-drive-too-large"


class MakeDrive(MakePlan):
    """The plan that each customer of this grade gets."""

    grade: Code = Field(examples=["A"])


class Driven(Shown):
    """How many customers have the plan; the same Idempotency-Key continues the same drive and plans nobody twice."""

    drive_id: str
    customers: int


def routes(ledger: Ledger, deadlines: Deadlines) -> APIRouter:
    """POST /v1/maintenance-drives."""
    router = APIRouter(prefix="/v1/maintenance-drives", tags=["maintenance plans"])

    @router.post("", status_code=201, summary="Plan how the customers of a grade are looked after")
    async def post_drive(body: MakeDrive, permit: Driving, request: Annotated[Asked, Depends(asked)]) -> Driven:
        key = None if request.key is None else hashlib.sha256(f"{request.key}\x1f{request.fingerprint}".encode())
        drive_id = uuid.uuid4().hex if key is None else key.hexdigest()[:32]
        draft = body.draft(deadlines, ledger.clock.now(), drive_id)
        wanted: dict[str, Any] = {"grade": body.grade, "merged_into": None, "erased_at": None}
        found = ledger.database["customers"].find({"$and": [wanted, permit.where()]}, {"_id": 1}).sort("_id", 1)
        customers = [one["_id"] for one in await found.limit(MOST_CUSTOMERS + 1).to_list()]
        if len(customers) > MOST_CUSTOMERS:
            raise DriveTooLarge(
                f"more than {MOST_CUSTOMERS} customers have the grade {body.grade}; let each team plan for its own"
            )

        def task(customer_id: str) -> Task[Customer]:
            plan_id = plan_of_drive(drive_id, customer_id)

            def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
                gone = state is None or state.merged_into is not None or state.erased_at is not None
                return [] if state is None or gone else plan(state, plan_id, draft, scene.now)

            return Task(STORED, customer_id, rule, {"plans": frozenset({plan_id})}, follow=False)

        for first in range(0, len(customers), AT_ONCE):
            await perform(ledger, [task(one) for one in customers[first : first + AT_ONCE]], request.cause)
        return Driven(drive_id=drive_id, customers=len(customers))

    return router
