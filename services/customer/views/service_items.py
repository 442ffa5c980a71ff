"""The services we offer, those first that are to be weighed first (S3-18)."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.customer.desk import Desk
from services.customer.model import service_items
from services.customer.model.service_items import ServiceItem
from services.customer.views.customer_file import Shown
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Aggregate, Ledger, Loaded

ITEMS = Aggregate("service_items", ServiceItem, service_items.evolve, lambda state: state.item_id)
MOST = 1_000


class ShownItem(Shown):
    """A service with its last score, 0 to 100; `reviewOn` is the day by which it is weighed again."""

    item_id: str
    code: str
    title: str | None = None
    product_line: str | None = None
    replaces: str | None = None
    status: str
    launched_at: Moment
    score: int | None = None
    weighed_at: Moment | None = None
    review_on: date | None = None
    overdue: bool
    retired_at: Moment | None = None
    reason: str | None = None


def as_item(desk: Desk, loaded: Loaded[ServiceItem]) -> dict[str, Any]:
    """One service as JSON."""
    if loaded.state is None:
        raise ValueError("a service that does not exist cannot be shown")
    state = loaded.state
    overdue = state.review_on is not None and state.review_on < desk.today().isoformat()
    shown = ShownItem.model_validate({**state.model_dump(), "overdue": overdue})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/service-items."""
    router = APIRouter(prefix="/v1/service-items", tags=["service items"])

    @router.get(
        "",
        response_model=list[ShownItem],
        response_model_exclude_none=True,
        summary="Services, those first that are to be weighed first",
        dependencies=[allowed("service_item.read")],
    )
    async def list_items(
        status: Literal["offered", "retired"] = "offered",
        product_line: Code | None = None,
        due: Annotated[bool, Query(description="Only those that should have been weighed by now.")] = False,
    ) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"status": status}
        if product_line is not None:
            query["product_line"] = product_line
        if due:
            query["review_on"] = {"$lt": desk.today().isoformat()}
        found = ledger.database[ITEMS.collection].find(query).sort([("review_on", 1), ("_id", 1)]).limit(MOST)
        return [as_item(desk, one) for one in await ledger.read_heads(ITEMS, await found.to_list())]

    return router


async def prepare(ledger: Ledger) -> None:
    """Index of the list above; safe to repeat."""
    await ledger.database[ITEMS.collection].create_index([("status", 1), ("review_on", 1), ("_id", 1)])
