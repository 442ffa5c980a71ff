"""All that a colleague should know before talking with a customer, in one answer and by one query (S2-15)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerUnknown
from services.customer.model.heard import CaseTold, Told, cases, responses
from services.customer.model.parts import Contract, Purchase
from services.customer.model.risk import Seen, Weights, reasons, score
from services.customer.reactions.note_what_others_tell import HEARD
from services.customer.views.contacts import ShownContact, as_contact
from services.customer.views.customer_file import (
    MASKS,
    CustomerFile,
    LoggedInteraction,
    Reading,
    Shown,
    ShownContract,
    ShownPurchase,
    as_file,
    as_interaction,
)
from shared.contracts.envelope import Code, Moment
from shared.contracts.state import Part
from shared.contracts.survey import Answer
from shared.plumbing.access import Permit, facts_of
from shared.plumbing.database import Document
from shared.plumbing.journal import Ledger, Loaded
from shared.policy.permission.masking import masked
from shared.policy.permission.table import Fields

HEARD_AT_MOST = 2_000
"""Events of other services that are looked at, the last ones."""
SHOWN_RESPONSES = 5
SHOWN_OVER = 20


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
"""What a file has many of. A new kind of part is shown by a line here and a field of Customer360."""


class ShownResponse(Shown):
    """A survey that was answered; `index` in 1/10,000 points. What was written stays in the survey service."""

    response_id: str
    at: Moment
    campaign_id: str | None = None
    product_line: str | None = None
    mode: str | None = None
    index: int | None = None
    nps: int | None = None
    csat: int | None = None
    ces: int | None = None
    answers: list[Answer] = []


class ShownCase(Shown):
    """A case as far as the feedback service told; `breached` when a deadline of it has passed."""

    case_id: str
    kind: str
    status: str
    opened_at: Moment
    changed_at: Moment
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    severity: str | None = None
    priority: str | None = None
    breached: bool


class ShownReason(Shown):
    """A sign that the customer may leave; `about` names the events (subject:revision), orders or contracts."""

    code: str
    points: int
    about: list[str]


class Risk(Shown):
    """How likely the customer is to leave, 0 to 100 points (METRICS D23), by which policy version."""

    points: int
    reasons: list[ShownReason]
    policy_version: str


class Cases(Shown):
    """Cases that are open, all of them; and those that are over, the latest ones."""

    open: list[ShownCase]
    over: list[ShownCase]


class Customer360(Shown):
    """A customer as seen from all sides. What happened is told from the latest on."""

    file: CustomerFile
    contacts: list[ShownContact]
    purchases: list[ShownPurchase]
    contracts: list[ShownContract]
    interactions: list[LoggedInteraction]
    satisfaction: list[ShownResponse]
    cases: Cases
    risk: Risk


def _query() -> list[Document]:
    """Everything beside the head, of the file itself and of those that were merged into it."""
    looked_up: list[Document] = []
    kinds = [(one.part, STORED.state.PARTS[one.part][0], "owner", one.order, one.most) for one in SECTIONS]
    for name, collection, field, order, most in [*kinds, (HEARD, HEARD, "customer", {"at": -1}, HEARD_AT_MOST)]:
        looked_up.append(
            {
                "$lookup": {
                    "from": collection,
                    "localField": "beside.owners",
                    "foreignField": field,
                    "pipeline": [{"$sort": order}, {"$limit": most}],
                    "as": f"beside.{name}",
                }
            }
        )
    return [{"$set": {"beside.owners": {"$concatArrays": [["$_id"], "$absorbed"]}}}, *looked_up]


QUERY = _query()


@dataclass(frozen=True)
class Sides:
    """A customer as read: the file, how much may be seen of it, what it has many of, and what others told."""

    loaded: Loaded[Customer]
    fields: Fields
    parts: Mapping[str, list[tuple[str, Part]]]
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
    return Sides(loaded, fields, parts, [_told(document) for document in beside[HEARD]])


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/{customer_id}/360."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get("/{customer_id}/360", response_model_exclude_none=True, summary="A customer from all sides")
    async def customer_360(customer_id: Code, permit: Reading) -> Customer360:
        sides = await all_sides(ledger, customer_id, permit)
        return Customer360.model_validate(
            {
                "file": masked(as_file(desk, sides.loaded), MASKS, sides.fields),
                **sides.shown(),
                "satisfaction": [_response(one) for one in responses(sides.told)[:SHOWN_RESPONSES]],
                "cases": _cases(cases(sides.told)),
                "risk": _risk(desk, sides),
            }
        )

    return router


def _told(document: Document) -> Told:
    return Told(document["_id"], document["subject"], document["type"], document["at"], document["data"])


def _response(one: Told) -> dict[str, Any]:
    return {**one.data, "at": one.at}


def _cases(found: Sequence[CaseTold]) -> Cases:
    shown = [ShownCase.model_validate({**vars(one), "breached": bool(one.breached)}) for one in found]
    pairs = list(zip(found, shown, strict=True))
    return Cases(
        open=[one for case, one in pairs if case.open],
        over=[one for case, one in pairs if not case.open][:SHOWN_OVER],
    )


def _risk(desk: Desk, sides: Sides) -> Risk:
    now = desk.clock.now()
    weights = Weights.of(desk.policies, desk.day(now))
    seen = Seen(
        cases(sides.told),
        responses(sides.told),
        [(name, part) for name, part in sides.parts["purchases"] if isinstance(part, Purchase)],
        [(name, part) for name, part in sides.parts["contracts"] if isinstance(part, Contract)],
    )
    found = reasons(seen, weights, now)
    signs = [ShownReason(code=one.code, points=one.points, about=list(one.about)) for one in found]
    return Risk(points=score(found), reasons=signs, policy_version=weights.version)
