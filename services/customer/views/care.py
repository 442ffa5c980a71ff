"""Whom to greet, and when: the days kept for a customer, those of the days to come, and the holidays (S1-19)."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.desk import STORED, Desk
from services.customer.model.care_days import NotThatDay
from services.customer.model.cared import CareDay, Greeting
from services.customer.model.consenting import GREETING
from services.customer.model.consents import consent_id
from services.customer.model.yearly import YearlyDay, kept_on
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from services.customer.views.worklist import Item, Limit, reachable
from shared.contracts.envelope import Code, Moment
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MOST_DAYS = 62
YEARS = (2000, 2090)


class ShownCareDay(Shown):
    """A day of the year that is kept, and when it comes next."""

    care_id: str
    contact_id: str | None = None
    occasion: str | None = None
    day: YearlyDay | None = None
    next_on: date | None = None
    label: str | None = None


class Dropped(Shown):
    """The day that is kept no longer."""

    care_id: str


class ShownGreeting(Shown):
    """Greeted or skipped, for which day."""

    greeting_id: str
    care_id: str | None = None
    contact_id: str | None = None
    holiday: str | None = None
    year: int | None = None
    on: date | None = None
    outcome: str
    at: Moment
    note: str | None = None


class CareTask(Shown):
    """Somebody's day: `status` upcoming, due on the day itself, overdue after it, else greeted or skipped.

    Only for whoever may see personal fields whole: the list says which day it is.
    """

    customer_id: str
    care_id: str
    contact_id: str | None = None
    occasion: str | None = None
    on: date
    label: str | None = None
    status: str


def as_care_day(care_id: str, kept: CareDay, today: date) -> dict[str, Any]:
    """One day as JSON."""
    day = None if kept.day is None else YearlyDay.named(kept.day)
    known = {"care_id": care_id, "day": day, "next_on": None if day is None else day.following(today)}
    return ShownCareDay.model_validate({**kept.model_dump(), **known}).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )


def as_greeting(greeting_id: str, greeting: Greeting) -> dict[str, Any]:
    """One greeting as JSON."""
    shown = ShownGreeting.model_validate({**greeting.model_dump(), "greeting_id": greeting_id})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET below /v1/care and /v1/customers/{customer_id}/care-days."""
    router = APIRouter(prefix="/v1", tags=["care calendar"])
    care_days, greetings, consents = (ledger.database[name] for name in ("care_days", "greetings", "consents"))

    @router.get("/customers/{customer_id}/care-days", response_model_exclude_none=True, summary="Days kept for one")
    async def of_customer(customer_id: Code, permit: Reading) -> list[ShownCareDay]:
        loaded, fields = await read_file(ledger, customer_id, permit)
        documents = await care_days.find({"owner": {"$in": owners_of(loaded)}}).sort("_id", 1).to_list()
        found = zip(documents, await ledger.read_parts(STORED, "care_days", documents), strict=True)
        today = desk.today()
        return [
            ShownCareDay.model_validate(masked(as_care_day(stored["_id"], part, today), MASKS, fields))
            for stored, part in found
            if isinstance(part, CareDay)
        ]

    @router.get(
        "/care/tasks",
        response_model_exclude_none=True,
        summary="Days of people and companies that come up, or came and were not greeted",
    )
    async def tasks(
        permit: Reading,
        first: Annotated[date | None, Query(alias="from", description="Today, unless said otherwise.")] = None,
        days: Annotated[int | None, Query(ge=1, le=MOST_DAYS, description="`care.ahead` unless said.")] = None,
        limit: Limit = 200,
    ) -> list[CareTask]:
        today = desk.today()
        begin = first or today
        if not YEARS[0] <= begin.year <= YEARS[1]:
            raise NotThatDay(
                f"the list is of the years {YEARS[0]} to {YEARS[1]}, which {begin} is not; name a day of those"
            )
        if days is None:
            span, _ = desk.policies.span("care.ahead", today)
            days = span.amount + 1
        found: list[CareTask] = []
        for ahead in range(days):
            on = begin + timedelta(days=ahead)
            tags = [ledger.keyring.blind.tag("day", name) for name in sorted(kept_on(on))]
            wanted = {"blind": {"$in": tags}}
            items = await reachable(ledger, permit, "care_days", wanted, "_id", limit - len(found))
            found += await _tasks(items, on, today)
            if len(found) >= limit:
                break
        return found

    async def _tasks(items: list[Item], on: date, today: date) -> list[CareTask]:
        ids = {one.part_id: _greeting(one, on) for one in items}
        settled = await greetings.find({"_id": {"$in": list(ids.values())}}, {"outcome": 1}).to_list()
        outcomes = {one["_id"]: one["outcome"] for one in settled}
        entries = [consent_id(_person(one), GREETING) for one in items]
        no = {"_id": {"$in": entries}, "status": "withdrawn"}
        unwilling = {one["person_id"] async for one in consents.find(no, {"person_id": 1})}
        open_status = "upcoming" if on > today else "due" if on == today else "overdue"
        return [
            CareTask.model_validate(
                {
                    **masked({"label": one.part.label} if one.part.label else {}, MASKS, one.fields),
                    "customer_id": one.customer_id,
                    "care_id": one.part_id,
                    "contact_id": one.part.contact_id,
                    "occasion": one.part.occasion,
                    "on": on,
                    "status": outcomes.get(ids[one.part_id], open_status),
                }
            )
            for one in items
            if isinstance(one.part, CareDay) and one.fields == "full" and _person(one) not in unwilling
        ]

    def _greeting(item: Item, on: date) -> str:
        return desk.identity.of("greeting", item.customer_id, f"{item.part_id}\x1f{on}")

    return router


def _person(item: Item) -> str:
    """Whose day it is: a contact's, or the customer's own."""
    contact = item.part.contact_id if isinstance(item.part, CareDay) else None
    return contact or item.customer_id


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    for collection in ("care_days", "greetings"):
        await ledger.database[collection].create_index("owner")
    await ledger.database["care_days"].create_index("blind", sparse=True)
    await ledger.database["greetings"].create_index([("holiday", 1), ("year", 1)], sparse=True)
