"""One customer as read from all sides by one query: the file, what it has many of, and what others told (S2-15)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.customer.desk import STORED
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerUnknown
from services.customer.model.heard import Told
from services.customer.model.visits import Visit
from services.customer.reactions.note_what_others_tell import HEARD
from services.customer.views.contacts import as_contact
from services.customer.views.customer_file import (
    MASKS,
    Shown,
    ShownContract,
    ShownPurchase,
    as_interaction,
)
from services.customer.views.visits import STORED as VISITS
from shared.contracts.state import Part
from shared.plumbing.access import Permit, facts_of
from shared.plumbing.database import Document
from shared.plumbing.journal import Ledger, Loaded
from shared.policy.permission.masking import masked
from shared.policy.permission.table import Fields

HEARD_AT_MOST = 2_000
"""Events of other services that are looked at, the last ones."""
SHOWN_VISITS = 10


@dataclass(frozen=True)
class Section:
    """A kind of part as the view shows it: the first ones in this order, at most so many."""

    part: str
    order: dict[str, int]
    most: int
    shown: Callable[[str, Any], dict[str, Any]]


def _as(model: type[Shown], name: str) -> Callable[[str, Part], dict[str, Any]]:
    def shown(identifier: str, part: Part) -> dict[str, Any]:
        return model.model_validate({**part.model_dump(), name: identifier}).model_dump(
            mode="json", by_alias=True, exclude_none=True
        )

    return shown


SECTIONS: tuple[Section, ...] = (
    Section("contacts", {"_id": 1}, 50, as_contact),
    Section("purchases", {"occurred_at": -1}, 50, _as(ShownPurchase, "purchase_id")),
    Section("contracts", {"starts_at": -1}, 20, _as(ShownContract, "contract_id")),
    Section("interactions", {"at": -1}, 10, as_interaction),
)
"""What a file has many of. A new kind of part is shown by a line here and a field of Customer360 (customer_360.py)."""


def _query() -> list[Document]:
    """Everything beside the head, of the file itself and of those that were merged into it."""
    parts = [
        _lookup(one.part, STORED.state.PARTS[one.part][0], "owner", {"$sort": one.order}, {"$limit": one.most})
        for one in SECTIONS
    ]
    when = {"$set": {"when": {"$ifNull": ["$at", "$planned_for"]}}}
    visits = _lookup(VISITS.collection, VISITS.collection, "customer_id", when, *_latest("when", SHOWN_VISITS))
    heard = _lookup(HEARD, HEARD, "customer", *_latest("at", HEARD_AT_MOST))
    return [{"$set": {"beside.owners": {"$concatArrays": [["$_id"], "$absorbed"]}}}, *parts, visits, heard]


def _latest(moment: str, most: int) -> list[Document]:
    return [{"$sort": {moment: -1}}, {"$limit": most}]


def _lookup(name: str, collection: str, field: str, *pipeline: Document) -> Document:
    return {
        "$lookup": {
            "from": collection,
            "localField": "beside.owners",
            "foreignField": field,
            "pipeline": list(pipeline),
            "as": f"beside.{name}",
        }
    }


def _told(document: Document) -> Told:
    return Told(document["_id"], document["subject"], document["type"], document["at"], document["data"])


QUERY = _query()


@dataclass(frozen=True)
class Sides:
    """A customer as read: the file, how much may be seen of it, what it has many of, and what others told."""

    loaded: Loaded[Customer]
    fields: Fields
    parts: Mapping[str, list[tuple[str, Part]]]
    visits: Sequence[Loaded[Visit]]
    told: Sequence[Told]

    def shown(self) -> dict[str, list[dict[str, Any]]]:
        """Every section as JSON, masked."""
        return {
            one.part: [masked(one.shown(name, part), MASKS, self.fields) for name, part in self.parts[one.part]]
            for one in SECTIONS
        }


async def all_sides(ledger: Ledger, customer_id: str, permit: Permit) -> Sides:
    """Everything about one customer, by one query. Raises Forbidden and CustomerUnknown."""
    heads = ledger.database[STORED.collection]
    found = await (await heads.aggregate([{"$match": {"_id": customer_id}}, *QUERY])).to_list()
    beside = found[0].pop("beside") if found else {}
    loaded = await ledger.read_head(STORED, found[0]) if found else Loaded[Customer](None)
    fields = permit.on(facts_of(STORED, customer_id, loaded))
    if loaded.state is None:
        raise CustomerUnknown(f"there is no customer {customer_id}; open the file with POST /v1/customers")
    parts: dict[str, list[tuple[str, Part]]] = {}
    for one in SECTIONS:
        names = [str(document["_id"]) for document in beside[one.part]]
        parts[one.part] = list(zip(names, await ledger.read_parts(STORED, one.part, beside[one.part]), strict=True))
    visits = await ledger.read_heads(VISITS, beside[VISITS.collection])
    return Sides(loaded, fields, parts, visits, [_told(document) for document in beside[HEARD]])
