"""Customers from a table, by HTTP: upload it, say what its columns are, check it, run it (S2-14, S2-15, S2-18)."""

import asyncio
import hashlib
from typing import Annotated

from fastapi import APIRouter, Body, Depends

from services.customer.desk import Desk
from services.customer.duplicates import Thresholds
from services.customer.imports import Imports, Mode
from services.customer.model.importing import Reading
from services.customer.sheets import read_table
from services.customer.views.imports import Import, ImportUnknown, as_import
from shared.contracts.decision import Invalid, Refusal
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked

UPLOADS = "/v1/imports"
Content = Annotated[bytes, Body(media_type="application/octet-stream", description="A CSV or an XLSX.")]


class ImportUnderWay(Refusal):
    SLUG = "import-under-way"


class ColumnUnknown(Invalid):
    SLUG = "column-unknown"


def routes(imports: Imports, desk: Desk) -> APIRouter:
    """POST /v1/imports, and …/checks and …/runs of one."""
    router = APIRouter(prefix=UPLOADS, tags=["imports"])

    @router.post(
        "",
        status_code=201,
        response_model_exclude_none=True,
        summary="Upload a CSV or XLSX of customers; answers its columns and what they seem to mean",
        dependencies=[allowed("customer.import")],
    )
    async def upload(content: Content, request: Annotated[Asked, Depends(asked)]) -> Import:
        table = await asyncio.to_thread(read_table, content)
        import_id = desk.identity.of("import", request.actor, hashlib.sha256(content).hexdigest())
        return as_import(await imports.keep(import_id, table, request.actor))

    @router.post(
        "/{import_id}/checks",
        status_code=202,
        response_model_exclude_none=True,
        summary="Decide every row as a run would, and record nothing but the verdicts",
        dependencies=[allowed("customer.import")],
    )
    async def check(import_id: Code, body: Reading, request: Annotated[Asked, Depends(asked)]) -> Import:
        return await begin(import_id, "check", body, request)

    @router.post(
        "/{import_id}/runs",
        status_code=202,
        response_model_exclude_none=True,
        summary="Open and change files as the rows say; again, it changes nothing that is so already",
        dependencies=[allowed("customer.import")],
    )
    async def run(import_id: Code, body: Reading, request: Annotated[Asked, Depends(asked)]) -> Import:
        return await begin(import_id, "run", body, request)

    async def begin(import_id: str, mode: Mode, reading: Reading, request: Asked) -> Import:
        job = await imports.find(import_id)
        if job is None:
            raise ImportUnknown(f"there is no import {import_id}; upload the file with POST {UPLOADS}")
        if request.key is not None and job.get("key") == request.key:
            return as_import(job)
        if unknown := sorted(set(reading.columns) - set(job["columns"])):
            raise ColumnUnknown(f"the table has no column {', '.join(unknown)}; it has {', '.join(job['columns'])}")
        if job["state"] == "running":
            if job["mode"] == mode and job["reading"] == reading.model_dump():
                return as_import(job)
            raise ImportUnderWay(f"this import is at row {job['next']} already: wait for its end, then start it anew")
        today = desk.today()
        Thresholds.of(desk.policies, today)
        desk.filing(desk.clock.now())
        return as_import(await imports.start(job, mode, reading, request.cause, request.key))

    return router
