"""What a file holds many of, such as people, orders and promises: as it is now, or was recorded by a moment (S3-14)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.customer.desk import STORED
from services.customer.views.customer_file import file_then, owners_of, read_file
from shared.contracts.state import Part
from shared.plumbing.access import Permit
from shared.plumbing.journal import Ledger
from shared.plumbing.past import as_of as past_state
from shared.policy.permission.table import Fields

Order = tuple[str, Literal[1, -1]]
"""A field of the parts, or `_id`; ascending or descending."""


@dataclass(frozen=True)
class Held:
    """A part, and the file it is in: this one, or one that is merged into it."""

    owner: str
    part_id: str
    part: Part


async def held(
    ledger: Ledger,
    customer_id: str,
    permit: Permit,
    name: str,
    order: Order,
    limit: int,
    as_of: datetime | None,
    having: tuple[str, str] | None = None,
) -> tuple[list[Held], Fields]:
    """The first parts `name` in this order, and how much of their personal fields may be seen.

    `having` names a field that is a list, and what must be in it. Raises Forbidden and CustomerUnknown.
    """
    loaded, fields = await read_file(ledger, customer_id, permit)
    if as_of is None:
        return await _now(ledger, owners_of(loaded), name, order, limit, having), fields
    found = await _then(ledger, customer_id, name, as_of)
    chosen = [one for one in found if having is None or having[1] in getattr(one.part, having[0])]
    field, direction = order

    def place(one: Held) -> tuple[object, str]:
        return (one.part_id if field == "_id" else getattr(one.part, field)), one.part_id

    return sorted(chosen, key=place, reverse=direction < 0)[:limit], fields


async def _now(
    ledger: Ledger, owners: list[str], name: str, order: Order, limit: int, having: tuple[str, str] | None
) -> list[Held]:
    collection, _ = STORED.state.PARTS[name]
    query = {"owner": {"$in": owners}, **({} if having is None else {having[0]: having[1]})}
    documents = await ledger.database[collection].find(query).sort(*order).limit(limit).to_list()
    parts = await ledger.read_parts(STORED, name, documents)
    return [Held(one["owner"], one["_id"], part) for one, part in zip(documents, parts, strict=True)]


async def _then(ledger: Ledger, customer_id: str, name: str, moment: datetime) -> list[Held]:
    """All of them, of the file and of those that were merged into it by then."""
    file = await file_then(ledger, customer_id, moment)
    merged = [] if file.state is None else file.state.absorbed
    states = [file.state, *[(await past_state(ledger, STORED, one, moment)).state for one in merged]]
    return [
        Held(state.customer_id, part_id, part)
        for state in states
        if state is not None
        for part_id, part in getattr(state, name).items()
    ]
