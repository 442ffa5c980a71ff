"""Reading the audit: who did what to an object, when and under which version of the rules (S0-33, S0-05, S3-15)."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import Permit, allowed
from shared.plumbing.audit.trail import LINES
from shared.plumbing.database import Database, Document

MAX_PAGE = 500


class AuditLine(BaseModel):
    """One thing that was done, read or denied; `line` is its place in a chain.

    `roles` is the version of the roles table that decided, `policyVersion` that of the policy an event was decided by,
    `purpose` what an export was made for.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)
    line: str
    at: Moment
    actor: str | None = None
    action: str | None = None
    decision: str
    objects: list[str] = []
    fields: str | None = None
    reason: str | None = None
    purpose: str | None = None
    roles: str | None = None
    correlation: str | None = None
    event: str | None = None
    policy_version: str | None = None


def routes(database: Database) -> APIRouter:
    """GET /v1/audit."""
    router = APIRouter(tags=["audit"])

    @router.get(
        "/v1/audit",
        response_model_exclude_none=True,
        summary="What was done, read and denied, newest first; of an object with every event of it",
    )
    async def read_audit(
        permit: Annotated[Permit, allowed("audit.read", rows=True)],
        object_id: Annotated[Code | None, Query(alias="object", description="The id of a customer, a case …")] = None,
        actor: Code | None = None,
        before: Annotated[Moment | None, Query(description="Only what is from before this time.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> list[AuditLine]:
        def asked(objects: str, who: str, when: str) -> dict[str, Any]:
            told = {objects: object_id, who: actor, when: None if before is None else {"$lt": before}}
            named = {name: value for name, value in told.items() if value is not None}
            return {"$and": [named, permit.where(owner=who)]}

        read = database[LINES].find(asked("objects", "actor", "at")).sort("at", -1).limit(limit)
        lines = [AuditLine.model_validate({**one, "line": one["_id"]}) for one in await read.to_list()]
        if object_id is not None or actor is not None:
            done = database["journal"].find(asked("subject", "link.actor", "recorded"), {"private": 0})
            lines += [_done(record) for record in await done.sort("recorded", -1).limit(limit).to_list()]
        shown = sorted(lines, key=lambda line: line.at, reverse=True)[:limit]
        permit.read((object_id or actor or "everything",), "full")
        return shown

    return router


def _done(record: Document) -> AuditLine:
    event, link = orjson.loads(record["event"]), record.get("link", {})
    return AuditLine(
        line=f"{link.get('chain', 'none')}:{link.get('seq', 0)}",
        at=record["recorded"],
        actor=event.get("actor"),
        action=link.get("action"),
        decision="done",
        objects=[record["subject"]],
        roles=link.get("roles"),
        correlation=event.get("correlationid"),
        event=event["type"],
        policy_version=event.get("policyversion"),
    )
