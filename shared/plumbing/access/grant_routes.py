"""Requesting, giving, revoking and listing grants over HTTP, alike in every service that keeps files of people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from shared.contracts.decision import Invalid
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed
from shared.plumbing.grants import (
    GrantBook,
    ObjectId,
    StoredGrant,
    Terms,
    give,
    give_unasked,
    request_grant,
    revoke,
)
from shared.plumbing.journal import Draft, Ledger
from shared.policy.permission.decision import Facts

MAX_PAGE = 200


class GiveGrant(Terms):
    """Terms, and who gets the grant."""

    grantee: Code = Field(examples=["u-17"])

    def terms(self) -> Terms:
        """The terms alone."""
        return Terms.model_validate(self.model_dump(exclude={"grantee"}))


class ActionNotGrantable(Invalid):
    SLUG = "action-not-grantable"


def routes(ledger: Ledger) -> APIRouter:
    """Everything below /v1/grants."""
    router = APIRouter(prefix="/v1/grants", tags=["grants"])
    book = GrantBook(ledger)

    def line(permit: Permit, step: str, grant: StoredGrant) -> Draft:
        draft = Draft()
        told = {"grant": grant.grant_id, "grantee": grant.grantee, "right": grant.action, "until": grant.until}
        draft.entries.append(permit.entry(step, (grant.object_id,), reason=grant.reason, more=told))
        return draft

    def check(permit: Permit, terms: Terms) -> None:
        if not permit.table.grantable(terms.action):
            raise ActionNotGrantable(f"no role can be granted {terms.action}; see the roles table for what can")

    @router.post("/requests", status_code=201, response_model_exclude_none=True, summary="Request a grant for yourself")
    async def post_grant_request(
        body: Terms, permit: Annotated[Permit, Depends(allowed("grant.request"))]
    ) -> StoredGrant:
        check(permit, body)
        grant = request_grant(body, permit.caller.subject, permit.now, permit.table.longest_grant_days)
        return await book.add(grant, line(permit, "requested", grant))

    @router.post("", status_code=201, response_model_exclude_none=True, summary="Give somebody a grant")
    async def post_grant(body: GiveGrant, permit: Annotated[Permit, Depends(allowed("grant.give"))]) -> StoredGrant:
        check(permit, body)
        days = permit.table.longest_grant_days
        grant = give_unasked(body.terms(), body.grantee, permit.caller.subject, permit.now, days)
        return await book.add(grant, line(permit, "given", grant))

    @router.post("/{grant_id}/give", response_model_exclude_none=True, summary="Give what was requested")
    async def post_give_grant(
        grant_id: ObjectId, permit: Annotated[Permit, Depends(allowed("grant.give", by_row=True))]
    ) -> StoredGrant:
        before = await book.read(grant_id)
        permit.on(Facts(before.grant_id, frozenset({before.grantee}), requester=before.requested_by))
        after = give(before, permit.caller.subject, permit.now, permit.table.longest_grant_days)
        return await book.replace(before, after, line(permit, "given", after))

    @router.post("/{grant_id}/revoke", response_model_exclude_none=True, summary="Take a grant or a request back")
    async def post_revoke_grant(
        grant_id: ObjectId, permit: Annotated[Permit, Depends(allowed("grant.revoke", by_row=True))]
    ) -> StoredGrant:
        before = await book.read(grant_id)
        permit.on(Facts(before.grant_id, frozenset({before.grantee})))
        after = revoke(before, permit.caller.subject)
        return await book.replace(before, after, line(permit, "revoked", after))

    @router.get("", response_model_exclude_none=True, summary="List grants, of one person or on one object")
    async def list_grants(
        permit: Annotated[Permit, Depends(allowed("grant.read", by_row=True))],
        grantee: Code | None = None,
        object_id: Annotated[ObjectId | None, Query(alias="object")] = None,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> list[StoredGrant]:
        query = permit.where(owner="grantee")
        wanted = {"grantee": grantee, "object_id": object_id, "_id": None if after is None else {"$gt": after}}
        named = {name: value for name, value in wanted.items() if value is not None}
        found = await book.find({"$and": [query, named]}, limit)
        seen = permit.page([Facts(one.grant_id, frozenset({one.grantee})) for one in found])
        return [one for one, fields in zip(found, seen, strict=True) if fields]

    return router
