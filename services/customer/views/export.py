"""Customers as a table: CSV page by page, or a bounded XLSX. Who took which files for what is in the audit before they
leave; who must not be told of for that is left out."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse
from pydantic.alias_generators import to_camel

from services.customer.desk import STORED, Desk
from services.customer.model.importing import FIELDS
from services.customer.sheets import MEDIA, Format, csv_lines, xlsx_of
from services.customer.views.choosing import Filter
from services.customer.views.customer_file import MASKS, as_file
from services.customer.views.leaving import ANSWERED, For, Leaving
from shared.plumbing.access import Permit, allowed, facts_of
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

PAGE = 200
COLUMNS = ("code", "customerId", "lifecycle", *(to_camel(name) for name in FIELDS))
"""Columns of an export; all but the second and the third can be imported again."""
Exporting = Annotated[Permit, allowed("customer.export", rows=True)]


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/export."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get(
        "/export",
        response_class=Response,
        responses=ANSWERED,
        summary="Customers as a table for a purpose, without those it does not cover; every file in it is audited",
    )
    async def export(
        permit: Exporting,
        chosen: Annotated[Filter, Depends()],
        as_: Annotated[Format, Query(alias="format")] = "csv",
        purpose: For = None,
    ) -> Response:
        leaving = Leaving.of(ledger, desk, purpose)
        wanted = {"$and": [chosen.query(desk), permit.where()]}
        named = {"Content-Disposition": f'attachment; filename="customers.{as_}"', **await leaving.headers(wanted)}
        pages = pages_of(desk, permit, leaving, wanted)
        if as_ == "csv":
            return StreamingResponse(csv_lines(COLUMNS, pages), media_type=MEDIA["csv"], headers=named)
        return Response(await xlsx_of(COLUMNS, pages), media_type=MEDIA["xlsx"], headers=named)

    return router


async def pages_of(
    desk: Desk, permit: Permit, leaving: Leaving, chosen: dict[str, Any]
) -> AsyncIterator[list[list[str]]]:
    """The files that match and may leave, as rows of cells, page by page; each page is audited before it is yielded."""
    async for documents in leaving.pages(chosen, PAGE):
        heads = await leaving.ledger.read_heads(STORED, documents)
        seen = permit.page([facts_of(STORED, str(one.key), one) for one in heads], purpose=leaving.purpose)
        yield [_cells(masked(as_file(desk, one), MASKS, fields)) for one, fields in zip(heads, seen, strict=True)]


def _cells(file: dict[str, Any]) -> list[str]:
    return [_text(file.get(column)) for column in COLUMNS]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
