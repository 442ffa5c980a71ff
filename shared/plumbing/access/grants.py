"""Grants: the right to one action on one object for a time, given by somebody else (S0-37 授权专员, DOMAIN E4).

A grant is requested by the grantee or given unasked; whoever requests or receives it cannot give it. It ends by itself.
Its history is in the audit: every step has its line before it is taken.
"""

import time
import uuid
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.contracts.decision import Invalid, NotFound, Refusal
from shared.contracts.envelope import Code, Moment
from shared.plumbing.database import MAJORITY, Database, Document
from shared.plumbing.journal import Stale
from shared.policy.permission.decision import Grant
from shared.policy.permission.table import ActionName

MOST_HELD = 1_000
REMEMBERED_S = 5.0
"""So long a process goes by what it last read of somebody's grants: a grant taken back elsewhere counts no longer."""
MOST_REMEMBERED = 10_000


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
    object_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    until: Moment
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", examples=["complaint-follow-up"])]


class StoredGrant(Terms):
    """A grant as it stands."""

    grant_id: str
    grantee: Code
    status: Literal["requested", "given", "revoked"] = "requested"
    given_by: Code | None = None
    starts: Moment | None = None


def request_grant(terms: Terms, grantee: str, now: datetime, longest_days: int) -> StoredGrant:
    """Ask for a grant. Raises GrantTooLong."""
    if not now < terms.until <= now + timedelta(days=longest_days):
        raise GrantTooLong(
            f"that is no time for a grant; name an until that lies ahead, by {longest_days} days at most"
        )
    return StoredGrant(**terms.model_dump(exclude={"grantee"}), grant_id=uuid.uuid4().hex, grantee=grantee)


def give(grant: StoredGrant, giver: str, now: datetime) -> StoredGrant:
    """Give what was requested. Raises GrantToOneself, GrantNotRequested, GrantTooLong."""
    if giver == grant.grantee:
        raise GrantToOneself("nobody gives himself a grant: somebody else with grant.give must")
    if grant.status != "requested":
        raise GrantNotRequested(f"this grant is {grant.status} already; request a new one")
    if grant.until <= now:
        raise GrantTooLong("it would have ended before now; request a new one")
    return grant.model_copy(update={"status": "given", "given_by": giver, "starts": now})


def revoke(grant: StoredGrant) -> StoredGrant:
    """Take a grant or a request back. Raises GrantRevokedAlready."""
    if grant.status == "revoked":
        raise GrantRevokedAlready("this grant is revoked already; there is nothing more to do")
    return grant.model_copy(update={"status": "revoked"})


class GrantBook:
    """The grants of one service."""

    def __init__(self, database: Database) -> None:
        self._grants = database["grants"].with_options(write_concern=MAJORITY)
        self._held: dict[str, tuple[float, list[Grant]]] = {}

    async def prepare(self) -> None:
        """Indexes of the look-ups; safe to repeat."""
        await self._grants.create_index([("grantee", 1), ("until", -1)])
        await self._grants.create_index("object_id")

    async def held(self, grantee: str, now: datetime) -> list[Grant]:
        """What this person was given and has not ended, as read a few seconds ago at the most."""
        read_at, grants = self._held.get(grantee, (float("-inf"), []))
        if time.monotonic() - read_at < REMEMBERED_S:
            return grants
        query = {"grantee": grantee, "status": "given", "until": {"$gt": now}}
        documents = await self._grants.find(query).sort("until", -1).limit(MOST_HELD).to_list()
        grants = [
            Grant(one["grantee"], one["action"], one["object_id"], one["starts"], one["until"]) for one in documents
        ]
        if len(self._held) >= MOST_REMEMBERED:
            self._held.clear()
        self._held[grantee] = time.monotonic(), grants
        return grants

    async def find(self, query: dict[str, Any], limit: int) -> list[StoredGrant]:
        """Grants in the order of their ids."""
        return [_read(one) for one in await self._grants.find(query).sort("_id", 1).limit(limit).to_list()]

    async def read(self, grant_id: str) -> StoredGrant:
        """One grant. Raises GrantUnknown."""
        document = await self._grants.find_one({"_id": grant_id})
        if document is None:
            raise GrantUnknown(f"there is no grant {grant_id}; list them with GET /v1/grants")
        return _read(document)

    async def add(self, grant: StoredGrant) -> StoredGrant:
        """Keep a new grant."""
        await self._grants.insert_one(_document(grant))
        self._held.pop(grant.grantee, None)
        return grant

    async def replace(self, before: StoredGrant, after: StoredGrant) -> StoredGrant:
        """Keep the next step. Raises Stale when another step was first."""
        done = await self._grants.replace_one({"_id": before.grant_id, "status": before.status}, _document(after))
        if done.matched_count != 1:
            raise Stale
        self._held.pop(after.grantee, None)
        return after


def _read(document: Document) -> StoredGrant:
    fields = dict(document)
    return StoredGrant.model_validate({"grant_id": fields.pop("_id"), **fields})


def _document(grant: StoredGrant) -> Document:
    fields = grant.model_dump()
    return {"_id": fields.pop("grant_id"), **fields}
