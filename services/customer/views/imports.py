"""An import as it stands: how far it is, what became of each row, and the refused rows as a file."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from services.customer.imports import CHUNK, Imports, Outcome, Verdict
from services.customer.model.importing import suggested
from services.customer.sheets import MEDIA, Format, csv_lines, xlsx_of
from services.customer.views.customer_file import Shown
from shared.contracts.decision import NotFound
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import Permit, allowed
from shared.plumbing.database import Document

MAX_PAGE = 1_000
NOT_TAKEN = ("refused", "duplicate")
MARKED = ("rejected row", "rejected because")
"""Columns that a reject file has beside those of the upload."""
Reading = Annotated[Permit, allowed("import.read")]


class ImportUnknown(NotFound):
    SLUG = "import-unknown"


class Import(Shown):
    """An import: `state` is uploaded, running, checked, done or failed; `counts` are rows by what became of them.

    `alike` counts the opened ones that look like other files, which are listed under /v1/duplicates.
    """

    import_id: str
    format: Format
    state: str
    mode: str | None = None
    columns: list[str]
    suggested: dict[str, str]
    rows: int
    rows_done: int
    counts: dict[str, int]
    uploaded_at: Moment
    expires: Moment
    finished_at: Moment | None = None


class Alike(Shown):
    """A file that may be about the same customer; `score` in percent."""

    customer_id: str
    score: int
    reasons: list[str]


class ShownVerdict(Shown):
    """What became of a row, by its number in the spreadsheet."""

    row: int
    outcome: Outcome
    reason: str | None = None
    customer_id: str | None = None
    alike: list[Alike] = []


class VerdictPage(Shown):
    """A page of verdicts; `next` is the `after` of the following page."""

    rows: list[ShownVerdict]
    next: int | None = None


def as_import(job: Document) -> Import:
    """An import as its owner sees it."""
    done = min(job["next"] * CHUNK, job["rows"])
    return Import.model_validate(
        {**job, "import_id": job["_id"], "suggested": suggested(job["columns"]), "rows_done": done}
    )


def routes(imports: Imports) -> APIRouter:
    """GET below /v1/imports/{import_id}."""
    router = APIRouter(prefix="/v1/imports", tags=["imports"])

    @router.get("/{import_id}", response_model_exclude_none=True, summary="How far an import is")
    async def read_import(import_id: Code, permit: Reading) -> Import:
        return as_import(await found(import_id, permit))

    @router.get("/{import_id}/rows", response_model_exclude_none=True, summary="What became of each row")
    async def read_rows(
        import_id: Code,
        permit: Reading,
        outcome: Outcome | None = None,
        alike: Annotated[bool, Query(description="Only rows that look like other files.")] = False,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> VerdictPage:
        job = await found(import_id, permit)
        page: list[ShownVerdict] = []
        async for _, verdicts in imports.chunks(job):
            meant = [one for one in verdicts if one.row > after and outcome in (None, one.outcome)]
            page += [ShownVerdict.model_validate(vars(one)) for one in meant if one.alike or not alike]
            if len(page) > limit:
                return VerdictPage(rows=page[:limit], next=page[limit - 1].row)
        return VerdictPage(rows=page)

    @router.get(
        "/{import_id}/rejects",
        response_class=Response,
        summary="The rows that were not taken, in the columns of the upload, each with its number and the reason",
    )
    async def rejects(
        import_id: Code, permit: Reading, as_: Annotated[Format, Query(alias="format")] = "csv"
    ) -> Response:
        job = await found(import_id, permit)
        kept = [place for place, column in enumerate(job["columns"]) if column not in MARKED]
        columns = [*(job["columns"][place] for place in kept), *MARKED]
        named = {"Content-Disposition": f'attachment; filename="rejects-{import_id[:8]}.{as_}"'}
        pages = _rejected(imports, job, kept)
        if as_ == "csv":
            return StreamingResponse(csv_lines(columns, pages), media_type=MEDIA["csv"], headers=named)
        return Response(await xlsx_of(columns, pages), media_type=MEDIA["xlsx"], headers=named)

    async def found(import_id: str, permit: Permit) -> Document:
        job = await imports.find(import_id)
        if job is None:
            raise ImportUnknown(
                f"there is no import {import_id}, or none any more (uploads are kept for a few days); "
                "upload the table again"
            )
        permit.read((import_id,), "full")
        return job

    return router


async def _rejected(imports: Imports, job: Document, kept: list[int]) -> AsyncIterator[list[list[str]]]:
    async for rows, verdicts in imports.chunks(job):
        cells_of = dict(rows)
        yield [_marked(cells_of[one.row], kept, one) for one in verdicts if one.outcome in NOT_TAKEN]


def _marked(cells: list[str], kept: list[int], verdict: Verdict) -> list[str]:
    mine = [cells[place] if place < len(cells) else "" for place in kept]
    return [*mine, str(verdict.row), verdict.reason or ""]
