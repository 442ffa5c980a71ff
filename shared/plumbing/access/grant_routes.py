"""Requesting, giving, revoking and listing grants over HTTP, alike in every service that owns objects."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from shared.contracts.decision import Invalid
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed
from shared.plumbing.access.grants import GrantBook, StoredGrant, Terms, give, request_grant, revoke
from shared.plumbing.audit.trail import Audit
from shared.policy.permission.decision import Facts

MAX_PAGE = 200
GrantId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


class GiveGrant(Terms):
    """Terms, and who gets the grant."""

    grantee: Code = Field(examples=["u-17"])


class ActionNotGrantable(Invalid):
    SLUG = "action-not-grantable"


def routes(book: GrantBook, audit: Audit) -> APIRouter:
    """Everything below /v1/grants."""
    router = APIRouter(prefix="/v1/grants", tags=["grants"])

    async def tell(permit: Permit, step: str, grant: StoredGrant) -> None:
        """Before the step is taken: the audit may tell of one that failed, never miss one that was taken."""
        told: dict[str, Any] = {"grant": grant.grant_id, "grantee": grant.grantee, "right": grant.action}
        more = {"until": grant.until, "reason": grant.reason, "objects": [grant.object_id]}
        await audit.append([{**permit.right, "decision": step, **told, **more}])

    def requested(permit: Permit, terms: Terms, grantee: str) -> StoredGrant:
        if not permit.table.grantable(terms.action):
            raise ActionNotGrantable(f"no role can be granted {terms.action}; see the roles table for what can")
        return request_grant(terms, grantee, permit.now, permit.table.longest_grant_days)

    @router.post("/requests", status_code=201, response_model_exclude_none=True, summary="Request a grant for yourself")
    async def post_grant_request(body: Terms, permit: Annotated[Permit, allowed("grant.request")]) -> StoredGrant:
        grant = requested(permit, body, permit.caller.subject)
        await tell(permit, "requested", grant)
        return await book.add(grant)

    @router.post("", status_code=201, response_model_exclude_none=True, summary="Give somebody a grant")
    async def post_grant(body: GiveGrant, permit: Annotated[Permit, allowed("grant.give")]) -> StoredGrant:
        grant = give(requested(permit, body, body.grantee), permit.caller.subject, permit.now)
        await tell(permit, "given", grant)
        return await book.add(grant)

    @router.post("/{grant_id}/give", response_model_exclude_none=True, summary="Give what was requested")
    async def post_give_grant(
        grant_id: GrantId, permit: Annotated[Permit, allowed("grant.give", rows=True)]
    ) -> StoredGrant:
        before = await book.read(grant_id)
        permit.on(Facts(grant_id, frozenset({before.grantee}), requester=before.grantee))
        after = give(before, permit.caller.subject, permit.now)
        await tell(permit, "given", after)
        return await book.replace(before, after)

    @router.post("/{grant_id}/revoke", response_model_exclude_none=True, summary="Take a grant or a request back")
    async def post_revoke_grant(
        grant_id: GrantId, permit: Annotated[Permit, allowed("grant.revoke", rows=True)]
    ) -> StoredGrant:
        before = await book.read(grant_id)
        permit.on(Facts(grant_id, frozenset({before.grantee})))
        after = revoke(before)
        await tell(permit, "revoked", after)
        return await book.replace(before, after)

    @router.get("", response_model_exclude_none=True, summary="List grants, of one person or on one object")
    async def list_grants(
        permit: Annotated[Permit, allowed("grant.read", rows=True)],
        grantee: Code | None = None,
        object_id: Annotated[Code | None, Query(alias="object")] = None,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> list[StoredGrant]:
        wanted = {"grantee": grantee, "object_id": object_id, "_id": None if after is None else {"$gt": after}}
        named = {name: value for name, value in wanted.items() if value is not None}
        found = await book.find({"$and": [permit.where(owner="grantee"), named]}, limit)
        permit.page([Facts(one.grant_id, frozenset({one.grantee})) for one in found])
        return found

    return router
