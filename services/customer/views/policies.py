"""The policies to be read: what was announced, from when it is in force, and who has not read it yet (S1-23, S4-01)."""

from typing import Any

from fastapi import APIRouter

from services.customer.desk import Desk
from services.customer.model import announced
from services.customer.model.announced import Announced, existing
from services.customer.staffing import Staffing
from services.customer.views.customer_file import Shown
from shared.plumbing.access import allowed
from shared.plumbing.journal import Aggregate, Ledger, Loaded
from shared.policy.chart import Holder

STORED = Aggregate("announcements", Announced, announced.evolve, lambda state: state.edition_id)


class ShownPolicy(Shown):
    """A version of a document, announced and in force from a day on; `missing` hold a post and have not read it.

    The number and who drafted, reviewed and approved it are absent once the document is on no shelf any more.
    """

    edition_id: str
    pack: str
    document: str
    version: str
    announced: str
    effective_from: str
    zh: str | None = None
    en: str | None = None
    number: str | None = None
    drafter: str | None = None
    reviewer: str | None = None
    approver: str | None = None
    readers: int
    trained: int
    missing: list[str]


def as_policy(desk: Desk, holders: tuple[Holder, ...], loaded: Loaded[Announced]) -> dict[str, Any]:
    """One version as JSON."""
    state = existing(loaded.state)
    of = state.pack, state.document
    kept = next(
        (one for pack in desk.policies.packs for one in pack.documents if (pack.pack, one.document) == of), None
    )
    controlled = {"zh", "en", "number", "drafter", "reviewer", "approver"}
    shown = ShownPolicy(
        **state.model_dump(exclude={"readers", "version_name"}),
        version=state.version_name,
        **({} if kept is None else kept.model_dump(include=controlled)),
        readers=len(state.readers),
        trained=sum(one.trained for one in state.readers),
        missing=sorted({one.person for one in holders} - {one.by for one in state.readers}),
    )
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk, staffing: Staffing) -> APIRouter:
    """GET /v1/policies."""
    router = APIRouter(prefix="/v1", tags=["policies"])

    @router.get(
        "/policies",
        response_model=list[ShownPolicy],
        response_model_exclude_none=True,
        summary="Versions of policies that were announced, the latest first",
        dependencies=[allowed("policy.read")],
    )
    async def list_policies() -> list[dict[str, Any]]:
        order = [("effective_from", -1), ("_id", 1)]
        documents = await ledger.database[STORED.collection].find().sort(order).to_list()
        found, chart = await ledger.read_heads(STORED, documents), await staffing.chart()
        return [as_policy(desk, chart.holders, one) for one in found]

    return router
