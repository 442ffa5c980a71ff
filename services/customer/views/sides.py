"""One customer as read from all sides by one query: the file, what it has many of, and what others told (S2-15)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.customer.desk import STORED
from services.customer.drawing import STORED as SPENDINGS
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerUnknown
from services.customer.model.heard import Told
from services.customer.model.spending import Spending
from services.customer.model.visits import Visit
from services.customer.reactions.note_what_others_tell import HEARD
from services.customer.views.contacts import as_contact
from services.customer.views.customer_file import MASKS, Shown
from services.customer.views.dealings import ShownContract, ShownPurchase, as_interaction
from services.customer.views.entitlements import ENTITLEMENT_MASKS, entitlement
from services.customer.views.opportunities import as_opportunity
from services.customer.views.visits import STORED as VISITS
from shared.contracts.envelope import Moment
from shared.contracts.state import Part
from shared.plumbing.access import Permit, facts_in
from shared.plumbing.database import Document
from shared.plumbing.journal import Ledger, Loaded, head_of, part_of
from shared.policy.permission.decision import Facts
from shared.policy.permission.masking import Mask, masked
from shared.policy.permission.table import Fields
from shared.policy.timers import Timer

HEARD_AT_MOST = 2_000
"""Events of other services that are looked at, the last ones."""
SHOWN_VISITS, SHOWN_SPENDINGS = 10, 20


class ShownConsent(Shown):
    """The last word of a person, the customer or a contact, about a purpose."""

    person_id: str
    purpose: str
    status: str
    basis: str | None = None
    text_version: str | None = None
    since: Moment


@dataclass(frozen=True)
class Section:
    """A kind of part as the view shows it: the first ones in this order, at most so many."""

    part: str
    order: dict[str, int]
    most: int
    shown: Callable[[Document, Any, datetime], dict[str, Any]]
    masks: Mapping[str, Mask]


def _as(model: type[Shown], name: str | None = None) -> Callable[[Document, Part, datetime], dict[str, Any]]:
    def shown(document: Document, part: Part, _now: datetime) -> dict[str, Any]:
        own = {} if name is None else {name: document["_id"]}
        return model.model_validate({**dict(part), **own}).model_dump(mode="json", by_alias=True, exclude_none=True)

    return shown


SECTIONS: tuple[Section, ...] = (
    Section("contacts", {"_id": 1}, 50, lambda stored, one, _: as_contact(stored["_id"], one), MASKS),
    Section("purchases", {"occurred_at": -1}, 50, _as(ShownPurchase, "purchase_id"), MASKS),
    Section("contracts", {"starts_at": -1}, 20, _as(ShownContract, "contract_id"), MASKS),
    Section("interactions", {"at": -1}, 10, lambda stored, one, _: as_interaction(stored["_id"], one), MASKS),
    Section("consents", {"since": -1}, 50, _as(ShownConsent), MASKS),
    Section(
        "entitlements",
        {"granted_at": -1},
        20,
        lambda stored, one, now: entitlement(stored["_id"], one, now),
        ENTITLEMENT_MASKS,
    ),
    Section(
        "opportunities",
        {"opened_at": -1},
        20,
        lambda stored, one, _: as_opportunity(stored["owner"], stored["_id"], one),
        MASKS,
    ),
)
"""What a file has many of. A new kind of part is shown by a line here and a field of Customer360 (customer_360.py)."""
COLLECTION_OF = {one.part: STORED.state.PARTS[one.part][0] for one in SECTIONS}


def _query() -> list[Document]:
    """Everything beside the head, of the file itself and of those that were merged into it."""
    parts = [
        _lookup(one.part, COLLECTION_OF[one.part], "owner", {"$sort": one.order}, {"$limit": one.most})
        for one in SECTIONS
    ]
    when = {"$set": {"when": {"$ifNull": ["$at", "$planned_for"]}}}
    visits = _lookup(VISITS.collection, VISITS.collection, "customer_id", when, *_latest("when", SHOWN_VISITS))
    spendings = _lookup(
        SPENDINGS.collection, SPENDINGS.collection, "customers", *_latest("approval.submitted_at", SHOWN_SPENDINGS)
    )
    heard = _lookup(HEARD, HEARD, "customer", *_latest("at", HEARD_AT_MOST))
    files = _lookup("files", STORED.collection, "_id", {"$project": {"timers": 1}})
    return [
        {"$set": {"beside.owners": {"$concatArrays": [["$_id"], "$absorbed"]}}},
        *parts,
        visits,
        spendings,
        heard,
        files,
    ]


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
    parts: Mapping[str, Sequence[tuple[Document, Part]]]
    visits: Sequence[Loaded[Visit]]
    spendings: Sequence[Loaded[Spending]]
    told: Sequence[Told]
    timers: Mapping[str, Timer]
    """Every open deadline, also of the files that were merged into this one."""

    def shown(self, now: datetime) -> dict[str, list[dict[str, Any]]]:
        """Every section as JSON, masked."""
        return {
            one.part: [masked(one.shown(stored, part, now), one.masks, self.fields) for stored, part in found]
            for one in SECTIONS
            for found in (self.parts[one.part],)
        }


async def all_sides(ledger: Ledger, customer_id: str, permit: Permit) -> Sides:
    """Everything about one customer, by one query and one look for its keys. Raises Forbidden and CustomerUnknown."""
    heads = ledger.database[STORED.collection]
    found = await (await heads.aggregate([{"$match": {"_id": customer_id}}, *QUERY])).to_list()
    if not found:
        permit.on(Facts(customer_id))
        raise CustomerUnknown(f"there is no customer {customer_id}; open the file with POST /v1/customers")
    head, beside = found[0], found[0].pop("beside")
    collections = {**COLLECTION_OF, VISITS.collection: VISITS.collection, SPENDINGS.collection: SPENDINGS.collection}
    # Decided before anything is opened, so that the audit is written meanwhile.
    fields = permit.on(facts_in(STORED, head))
    sealed = [(collection, one) for name, collection in collections.items() for one in beside[name]]
    opened = await ledger.open([(STORED.collection, head), *sealed])
    loaded = head_of(STORED, head, opened)
    parts = {
        one.part: [(stored, part_of(STORED, one.part, stored, opened)) for stored in beside[one.part]]
        for one in SECTIONS
    }
    return Sides(
        loaded,
        fields,
        parts,
        [head_of(VISITS, one, opened) for one in beside[VISITS.collection]],
        [head_of(SPENDINGS, one, opened) for one in beside[SPENDINGS.collection]],
        [_told(document) for document in beside[HEARD]],
        {name: Timer.model_validate(one) for file in beside["files"] for name, one in file["timers"].items()},
    )
