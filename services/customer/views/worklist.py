"""Lists across customers of what is to be done: one page of parts whose file the caller may see, in order of a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query

from services.customer.desk import STORED
from shared.contracts.decision import Invalid
from shared.contracts.envelope import moment_text, parse_moment
from shared.contracts.state import Part
from shared.plumbing.access import Permit
from shared.plumbing.database import Document
from shared.plumbing.journal import OWNER, Ledger
from shared.policy.permission.decision import Facts
from shared.policy.permission.table import Fields

MAX_PAGE = 200
After = Annotated[str | None, Query(max_length=120, description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


class PageUnknown(Invalid):
    SLUG = "page-unknown"


@dataclass(frozen=True)
class Item:
    """A part, the file it is in, and how much of its personal fields may be seen."""

    customer_id: str
    part_id: str
    part: Part
    fields: Fields


async def worklist(
    ledger: Ledger,
    permit: Permit,
    name: str,
    wanted: Mapping[str, Any],
    moment: str,
    after: str | None,
    limit: int,
    *,
    erased: bool = False,
) -> tuple[list[Item], str | None]:
    """The parts `name` that match, the earliest `moment` first, and where the next page begins. Raises PageUnknown.

    `erased`: those of customers who were erased too, for they wait for an answer all the same.
    """
    where = {"$and": [wanted, beyond(after, moment)]}
    found = await reachable(ledger, permit, name, where, moment, limit + 1, erased=erased)
    page = found[:limit]
    last = page[-1] if len(found) > limit else None
    return page, None if last is None else next_page(getattr(last.part, moment), last.part_id)


async def reachable(
    ledger: Ledger,
    permit: Permit,
    name: str,
    wanted: Mapping[str, Any],
    order: str,
    limit: int,
    *,
    erased: bool = False,
) -> list[Item]:
    """The first parts `name` that match and lie within the caller's reach; `erased`: of erased customers too."""
    collection, _ = STORED.state.PARTS[name]
    owned = {"from": STORED.collection, "localField": "owner", "foreignField": "_id", "as": "file"}
    found: list[Document] = await (
        await ledger.database[collection].aggregate(
            [
                {"$match": wanted},
                {"$sort": {order: 1, "_id": 1} if order != "_id" else {"_id": 1}},
                {"$lookup": {**owned, "pipeline": [{"$project": {OWNER: 1, "erased_at": 1}}]}},
                {"$match": {} if erased else {"file.erased_at": None}},
                {"$project": {"_id": "$owner", OWNER: {"$first": f"$file.{OWNER}"}, "part": "$$ROOT"}},
                {"$match": permit.where()},
                {"$limit": limit},
            ]
        )
    ).to_list()
    seen = permit.page([_facts(one) for one in found])
    parts = await ledger.read_parts(STORED, name, [one["part"] for one in found])
    return [
        Item(one["_id"], one["part"]["_id"], part, fields) for one, part, fields in zip(found, parts, seen, strict=True)
    ]


def at_stage(status: str, responsible: str | None, now: datetime) -> dict[str, Any]:
    """What stands so, `overdue` being open beyond its day, and is one person's business if that is asked; a filter."""
    wanted: dict[str, Any] = {"status": status}
    if status == "overdue":
        wanted = {"status": "open", "due_at": {"$lte": now}}
    return wanted if responsible is None else {**wanted, "responsible": responsible}


def beyond(after: str | None, moment: str) -> dict[str, Any]:
    """What lies beyond the end of the page before, as a filter. Raises PageUnknown."""
    if after is None:
        return {}
    text, _, identifier = after.partition("~")
    try:
        at = parse_moment(text)
    except ValueError as error:
        raise PageUnknown(f"{after!r} is no `next` of this list; begin without `after`") from error
    return {"$or": [{moment: {"$gt": at}}, {moment: at, "_id": {"$gt": identifier}}]}


def next_page(at: datetime, identifier: str) -> str:
    """What a page says of where the next one begins."""
    return f"{moment_text(at)}~{identifier}"


def _facts(found: Document) -> Facts:
    owner = found.get(OWNER)
    return Facts(found["_id"], frozenset() if owner is None else frozenset({owner}), claimable=True)
