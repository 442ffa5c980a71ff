"""Merges that were asked for, by where they stand (S2-15)."""

from typing import Any

from fastapi import APIRouter

from services.customer.model.parts import MergeRequest
from services.customer.views.customer_file import Reading, Shown
from services.customer.views.standing import Standing, standing
from services.customer.views.worklist import Limit, reachable
from shared.contracts.envelope import Code
from shared.plumbing.journal import Ledger
from shared.policy.permission import masking
from shared.policy.permission.masking import masked
from shared.policy.permission.table import Fields

HIDDEN = {"reason": masking.hidden, "because": masking.hidden}


class ShownMerge(Standing):
    """A merge as it stands: which file survives, who asked and why, who decides the waiting step, until when.

    `because` is what the last decision said.
    """

    merge_id: str
    survivor_id: str
    merged_id: str
    reason: str | None = None
    because: str | None = None


class MergePage(Shown):
    """A page of merges in the order of their ids; `next` is the `after` of the following page."""

    merges: list[ShownMerge]
    next: str | None = None


def as_merge(survivor_id: str, merge_id: str, asked: MergeRequest, fields: Fields) -> ShownMerge:
    """One merge, with its reason as far as that may be seen."""
    return ShownMerge(
        merge_id=merge_id,
        survivor_id=survivor_id,
        merged_id=asked.merged_id,
        **masked({"reason": asked.reason, "because": asked.because}, HIDDEN, fields),
        **standing(asked.approval),
    )


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/merges."""
    router = APIRouter(prefix="/v1/merges", tags=["merges"])

    @router.get("", response_model_exclude_none=True, summary="Merges by where they stand")
    async def page(
        permit: Reading, status: Code = "pending", after: Code | None = None, limit: Limit = 50
    ) -> MergePage:
        wanted: dict[str, Any] = {"approval.status": status, "_id": {"$gt": after or ""}}
        found = await reachable(ledger, permit, "merge_requests", wanted, "_id", limit + 1)
        shown = [
            as_merge(one.customer_id, one.part_id, one.part, one.fields)
            for one in found[:limit]
            if isinstance(one.part, MergeRequest)
        ]
        return MergePage(merges=shown, next=found[limit - 1].part_id if len(found) > limit else None)

    return router
