"""Grants: the right to one action on one object for a time, given by somebody else (S0-37 授权专员, DOMAIN E4).

A grant is requested by the grantee or given unasked; whoever requests or receives it cannot give it. It ends by itself.
Its history is in the audit: every step is a line in the same transaction.
"""

import uuid
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pymongo import InsertOne, ReplaceOne

from shared.contracts.decision import Invalid, NotFound, Refusal
from shared.contracts.envelope import Code, Moment
from shared.plumbing.database import Database, Document
from shared.plumbing.journal import Draft, Ledger
from shared.policy.permission.decision import Grant
from shared.policy.permission.table import ActionName

GRANTS = "grants"
MOST_GRANTS = 1_000
ReasonCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", examples=["complaint-follow-up"])]
ObjectId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Status = Literal["requested", "given", "revoked"]


class GrantUnknown(NotFound):
    SLUG = "grant-unknown"


class GrantNotRequested(Refusal):
    SLUG = "grant-not-requested"


class GrantRevokedAlready(Refusal):
    SLUG = "grant-revoked"


class GrantTooLong(Invalid):
    SLUG = "grant-too-long"


class GrantToOneself(Refusal):
    STATUS = 403
    SLUG = "grant-to-oneself"


class Terms(BaseModel):
    """Which action, on which object, until when, and why (a code)."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True
    )
    action: ActionName = Field(examples=["customer.read"])
    object_id: ObjectId
    until: Moment
    reason: ReasonCode


class StoredGrant(Terms):
    """A grant as it stands; `version` counts its steps."""

    grant_id: str
    grantee: Code
    status: Status
    requested_by: Code
    given_by: Code | None = None
    revoked_by: Code | None = None
    starts: Moment | None = None
    version: int = 1


def request_grant(terms: Terms, grantee: str, now: datetime, longest_days: int) -> StoredGrant:
    """Ask for a grant for oneself. Raises GrantTooLong."""
    _bounded(terms, now, longest_days)
    return StoredGrant(
        **terms.model_dump(), grant_id=uuid.uuid4().hex, grantee=grantee, status="requested", requested_by=grantee
    )


def give_unasked(terms: Terms, grantee: str, giver: str, now: datetime, longest_days: int) -> StoredGrant:
    """Give somebody else a grant. Raises GrantToOneself, GrantTooLong."""
    return give(request_grant(terms, grantee, now, longest_days), giver, now, longest_days)


def give(grant: StoredGrant, giver: str, now: datetime, longest_days: int) -> StoredGrant:
    """Give what was requested. Raises GrantToOneself, GrantNotRequested, GrantTooLong."""
    if giver in (grant.grantee, grant.requested_by):
        raise GrantToOneself("nobody gives himself a grant: somebody else with grant.give must")
    if grant.status != "requested":
        raise GrantNotRequested(f"this grant is {grant.status} already; request a new one")
    _bounded(grant, now, longest_days)
    return grant.model_copy(update={"status": "given", "given_by": giver, "starts": now, "version": grant.version + 1})


def revoke(grant: StoredGrant, by: str) -> StoredGrant:
    """Take a grant or a request back; it ends at once. Raises GrantRevokedAlready."""
    if grant.status == "revoked":
        raise GrantRevokedAlready("this grant is revoked already")
    return grant.model_copy(update={"status": "revoked", "revoked_by": by, "version": grant.version + 1})


def _bounded(terms: Terms, now: datetime, longest_days: int) -> None:
    if not now < terms.until <= now + timedelta(days=longest_days):
        raise GrantTooLong(f"until must lie ahead, and at most {longest_days} days")


def in_force(grant: StoredGrant) -> Grant:
    """The grant as the decision looks at it."""
    starts = grant.starts if grant.starts is not None else grant.until
    return Grant(grant.grantee, grant.action, grant.object_id, starts, grant.until, grant.status != "given")


async def grants_of(database: Database, grantee: str, action: str, now: datetime) -> list[Grant]:
    """What this person holds of this action now."""
    query = {"grantee": grantee, "action": action, "status": "given", "until": {"$gt": now}}
    documents = await database[GRANTS].find(query).sort("until", -1).limit(MOST_GRANTS).to_list()
    return [in_force(_read(document)) for document in documents]


class GrantBook:
    """The grants of one service: each step in one transaction with its line of the audit."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._grants = ledger.database[GRANTS]

    async def prepare(self) -> None:
        """Indexes of the look-ups; safe to repeat."""
        await self._grants.create_index([("grantee", 1), ("action", 1), ("until", -1)])
        await self._grants.create_index("object_id")

    async def find(self, query: dict[str, Any], limit: int) -> list[StoredGrant]:
        """Grants in the order of their ids."""
        return [_read(one) for one in await self._grants.find(query).sort("_id", 1).limit(limit).to_list()]

    async def read(self, grant_id: str) -> StoredGrant:
        """One grant. Raises GrantUnknown."""
        document = await self._grants.find_one({"_id": grant_id})
        if document is None:
            raise GrantUnknown(f"there is no grant {grant_id}; list them with GET /v1/grants")
        return _read(document)

    async def add(self, grant: StoredGrant, draft: Draft) -> StoredGrant:
        """Keep a new grant together with what the draft says of it."""
        draft.write(GRANTS, InsertOne(_document(grant)))
        await self._ledger.commit(draft)
        return grant

    async def replace(self, before: StoredGrant, after: StoredGrant, draft: Draft) -> StoredGrant:
        """Keep the next step. Raises Stale when another step was first."""
        draft.write(GRANTS, ReplaceOne({"_id": before.grant_id, "version": before.version}, _document(after)))
        await self._ledger.commit(draft)
        return after


def _read(document: Document) -> StoredGrant:
    fields = dict(document)
    return StoredGrant.model_validate({"grant_id": fields.pop("_id"), **fields})


def _document(grant: StoredGrant) -> Document:
    fields = grant.model_dump()
    return {"_id": fields.pop("grant_id"), **fields}
