"""How soon people enter what happened: from the contact to the record, by the policy's time (S1-05)."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Annotated

import jiter
from fastapi import APIRouter, Query

from services.customer.desk import Desk
from services.customer.views.customer_file import Shown
from shared.contracts.customer import CustomerCreated, InteractionLogged
from shared.contracts.decision import Invalid
from shared.contracts.envelope import parse_moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Ledger
from shared.policy.calendar.reckoning import deadline

LONGEST = timedelta(days=92)
EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)
ENTERED = {"type": {"$in": [CustomerCreated.TYPE, InteractionLogged.TYPE]}}
BY_PEOPLE = {"link.action": {"$in": ["customer.create", "interaction.log"]}}
"""What other systems tell by themselves is left out."""


class PeriodTooLong(Invalid):
    SLUG = "period-too-long"


class Entered(Shown):
    """Contacts and conversations entered by people in a period of days; `share` is null where there are none."""

    n: int
    in_time: int
    late: int
    share: float | None
    within: str


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/quality/entry."""
    router = APIRouter(prefix="/v1/quality", tags=["quality"])

    @router.get("/entry", summary="How much was entered in time", dependencies=[allowed("metric.read")])
    async def entered(
        first: Annotated[date, Query(alias="from", ge=EARLIEST, description="First day on which it was entered.")],
        end: Annotated[date, Query(alias="to", le=LATEST, description="The day after the last one.")],
    ) -> Entered:
        if not timedelta(0) < end - first <= LONGEST:
            raise PeriodTooLong(f"ask for at least one and at most {LONGEST.days} days")
        due = _due(desk)
        span, _ = desk.policies.span("customer.entry.within", desk.today())
        counted = {True: 0, False: 0}
        recorded = {"recorded": {"$gte": _midnight(desk, first), "$lt": _midnight(desk, end)}}
        async for record in ledger.database["journal"].find({**recorded, **ENTERED, **BY_PEOPLE}, {"event": 1}):
            event = jiter.from_json(record["event"].encode())
            counted[parse_moment(event["recordedtime"]) < due(desk.day(parse_moment(event["time"])))] += 1
        n = sum(counted.values())
        return Entered(
            n=n,
            in_time=counted[True],
            late=counted[False],
            share=counted[True] / n if n else None,
            within=f"{span.amount} {span.unit}",
        )

    return router


def _due(desk: Desk) -> Callable[[date], datetime]:
    """The day of a contact → the first instant at which entering it is late."""

    @cache
    def due(day: date) -> datetime:
        span, _ = desk.policies.span("customer.entry.within", day)
        return deadline(desk.policies.calendar(day), day, span, desk.policies.day_end(day)).at

    return due


def _midnight(desk: Desk, day: date) -> datetime:
    return datetime.combine(day, time.min, desk.zone)
