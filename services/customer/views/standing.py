"""Where something stands that is decided step by step: shown, and looked for, alike for all of them."""

from typing import Any

from services.customer.views.customer_file import Shown
from shared.contracts.envelope import Moment
from shared.policy.approvals.approval import OPEN, Approval


class Standing(Shown):
    """Who asked, and which role decides the waiting step until when."""

    requester: str
    status: str
    step: int
    cycle: int
    waiting_for: str | None = None
    due_at: Moment | None = None


def standing(approval: Approval) -> dict[str, Any]:
    """The fields of `Standing`."""
    told = approval.model_dump(include={"status", "step", "cycle", "due_at"})
    return {**told, "requester": approval.request.requester, "waiting_for": approval.waiting_for}


def waits_for(role: str) -> dict[str, Any]:
    """Those whose waiting step this role decides, as a filter."""
    at_step = {"$arrayElemAt": ["$approval.route.steps", "$approval.step"]}
    return {"approval.status": {"$in": sorted(OPEN)}, "$expr": {"$eq": [at_step, role]}}
