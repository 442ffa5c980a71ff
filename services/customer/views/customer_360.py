"""All that a colleague should know before talking with a customer, in one answer and by one query (S2-15)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Response

from services.customer.desk import Desk
from services.customer.model.heard import CaseTold, Told, cases, responses
from services.customer.model.parts import Contract, Purchase
from services.customer.model.risk import Seen, reasons, score
from services.customer.model.spending import Spending
from services.customer.views.contacts import ShownContact
from services.customer.views.customer_file import MASKS, CustomerFile, Reading, Shown, as_file
from services.customer.views.dealings import LoggedInteraction, ShownContract, ShownPurchase
from services.customer.views.entitlements import ShownEntitlement
from services.customer.views.opportunities import ShownOpportunity
from services.customer.views.sides import ShownConsent, Sides, all_sides
from services.customer.views.visits import VISIT_MASKS, ShownVisit, as_visit
from shared.contracts.envelope import Code, Moment
from shared.contracts.survey import Answer
from shared.plumbing.journal import Ledger
from shared.policy.calendar.business import CalendarYearUnknown
from shared.policy.permission.masking import masked
from shared.policy.policies import LimitUnset
from shared.policy.timers import Timer

SHOWN_RESPONSES = 5
SHOWN_OVER = 20


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


class ShownTask(Shown):
    """What somebody has still to do for the customer, by when; `kind` such as commitment, maintenance, cleaning."""

    task_id: str
    kind: str
    due_at: Moment
    overdue: bool


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


class ShownSpending(Shown):
    """A gift, an expense or procurement that was asked for because of the customer, in minor currency units."""

    request_id: str
    kind: str
    status: str
    amount: int
    currency: str
    spent: int | None = None
    occasion: str | None = None
    visit_id: str | None = None
    submitted_at: Moment


class Customer360(Shown):
    """A customer as seen from all sides. What happened is told from the latest on."""

    file: CustomerFile
    contacts: list[ShownContact]
    purchases: list[ShownPurchase]
    contracts: list[ShownContract]
    interactions: list[LoggedInteraction]
    consents: list[ShownConsent]
    entitlements: list[ShownEntitlement]
    opportunities: list[ShownOpportunity]
    visits: list[ShownVisit]
    spendings: list[ShownSpending]
    tasks: list[ShownTask]
    satisfaction: list[ShownResponse]
    cases: Cases
    risk: Risk


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/{customer_id}/360."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get(
        "/{customer_id}/360",
        response_model=Customer360,
        response_model_exclude_none=True,
        summary="A customer from all sides",
    )
    async def customer_360(customer_id: Code, permit: Reading) -> Response:
        sides, now = await all_sides(ledger, customer_id, permit), desk.clock.now()
        view = {
            "file": masked(as_file(desk, sides.loaded), MASKS, sides.fields),
            **sides.shown(now),
            "visits": [masked(as_visit(one), VISIT_MASKS, sides.fields) for one in sides.visits],
            "spendings": [_json(_spending(one.state)) for one in sides.spendings if one.state is not None],
            "tasks": [_json(one) for one in _tasks(sides.timers, now)],
            "satisfaction": [_json(_response(one)) for one in responses(sides.told)[:SHOWN_RESPONSES]],
            "cases": _json(_cases(cases(sides.told))),
            "risk": _json(_risk(desk, sides, now)),
        }
        # Every section was checked when it was made: the whole is not checked once more.
        return Response(orjson.dumps(view), media_type="application/json")

    return router


def _json(shown: Shown) -> dict[str, Any]:
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def _response(one: Told) -> ShownResponse:
    return ShownResponse.model_validate({**one.data, "at": one.at})


def _spending(one: Spending) -> ShownSpending:
    asked = {"status": one.status, "submitted_at": one.approval.submitted_at}
    return ShownSpending.model_validate({**dict(one), **asked}, from_attributes=False)


def _cases(found: Sequence[CaseTold]) -> Cases:
    shown = [ShownCase.model_validate({**vars(one), "breached": bool(one.breached)}) for one in found]
    pairs = list(zip(found, shown, strict=True))
    return Cases(
        open=[one for case, one in pairs if case.open],
        over=[one for case, one in pairs if not case.open][:SHOWN_OVER],
    )


def _tasks(timers: Mapping[str, Timer], now: datetime) -> list[ShownTask]:
    """Every deadline that is open, the first due first."""
    found = [
        ShownTask(task_id=name, kind=one.kind, due_at=one.target.due_at, overdue=one.target.due_at <= now)
        for name, one in timers.items()
    ]
    return sorted(found, key=lambda one: (one.due_at, one.task_id))


def _risk(desk: Desk, sides: Sides, now: datetime) -> Risk:
    weights = desk.weights(now)
    seen = Seen(
        cases(sides.told),
        responses(sides.told),
        [(stored["_id"], part) for stored, part in sides.parts["purchases"] if isinstance(part, Purchase)],
        [(stored["_id"], part) for stored, part in sides.parts["contracts"] if isinstance(part, Contract)],
        _unheard(desk, sides, now),
    )
    found = reasons(seen, weights, now)
    signs = [ShownReason(code=one.code, points=one.points, about=list(one.about)) for one in found]
    return Risk(points=score(found), reasons=signs, policy_version=weights.version)


def _unheard(desk: Desk, sides: Sides, now: datetime) -> str | None:
    """The last conversation, or else the file, where the customer's grade asks for a contact that is overdue (S1-17).

    Nothing is overdue by a calendar that nobody has announced or set.
    """
    state = sides.loaded.state
    try:
        if state is None or not desk.cadence(now).overdue(state, now):
            return None
    except (CalendarYearUnknown, LimitUnset):
        return None
    return next((str(stored["_id"]) for stored, _ in sides.parts["interactions"]), state.customer_id)
