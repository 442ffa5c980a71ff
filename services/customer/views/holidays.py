"""Holidays to come, and which customers are still to be greeted on one (S1-19)."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.desk import STORED, Desk
from services.customer.model.care_days import Occasions, OccasionUnknown
from services.customer.model.consenting import GREETING
from services.customer.views.customer_file import Reading, Shown
from services.customer.views.worklist import Limit
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed, facts_of
from shared.plumbing.journal import Ledger
from shared.policy.calendar.business import CalendarYearUnknown


class Holiday(Shown):
    """A holiday to come: `off` and `why` by the business calendar, absent for a year that nobody has announced."""

    holiday: str
    on: date
    off: bool | None = None
    why: dict[str, str] = {}
    greeted: int
    skipped: int


class ToGreet(Shown):
    """A customer who is greeted on holidays and has not been, this time."""

    customer_id: str
    code: str
    grade: str | None = None
    owner_id: str | None = None


class ToGreetPage(Shown):
    """A page in the order of the ids; `next` is the `after` of the following page."""

    customers: list[ToGreet]
    next: str | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/care/holidays, and the customers of one."""
    router = APIRouter(prefix="/v1", tags=["care calendar"])
    greetings = ledger.database["greetings"]

    @router.get(
        "/care/holidays",
        response_model_exclude_none=True,
        summary="Holidays of the year to come",
        dependencies=[allowed("metric.read")],
    )
    async def holidays() -> list[Holiday]:
        today = desk.today()
        calendar = desk.policies.calendar(today)
        found = []
        for name, yearly in Occasions.of(desk.policies, today).holidays.items():
            on = yearly.following(today)
            counts = {
                outcome: await greetings.count_documents({"holiday": name, "year": on.year, "outcome": outcome})
                for outcome in ("greeted", "skipped")
            }
            try:
                day = calendar.day(on)
                known = {"off": not day.worked, "why": {"zh": day.why.zh, "en": day.why.en}}
            except CalendarYearUnknown:
                known = {}
            found.append(Holiday.model_validate({"holiday": name, "on": on, **known, **counts}))
        return sorted(found, key=lambda one: one.on)

    @router.get(
        "/care/holidays/{holiday}/customers",
        response_model_exclude_none=True,
        summary="Customers still to be greeted on a holiday",
    )
    async def to_greet(
        holiday: Code,
        permit: Reading,
        year: Annotated[int, Query(ge=2000, le=2090)],
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Limit = 50,
    ) -> ToGreetPage:
        today = desk.today()
        if holiday not in Occasions.of(desk.policies, today).holidays:
            raise OccasionUnknown(f"{holiday!r} is no holiday of care.occasions; name one that is")
        grades = desk.policies.value("care.holiday.grades", today).value
        wanted: dict[str, Any] = {"grade": {"$in": list(grades)}, "merged_into": None, "erased_at": None}
        if after is not None:
            wanted["_id"] = {"$gt": after}
        mine = [{"$match": {"holiday": holiday, "year": year}}, {"$project": {"_id": 1}}]
        entry = {"$concat": ["$_id", f":{GREETING}"]}
        said_no = [{"$match": {"status": "withdrawn", "$expr": {"$eq": ["$_id", "$$entry"]}}}]
        no = {"from": "consents", "let": {"entry": entry}, "pipeline": said_no, "as": "no"}
        greeted = {"from": "greetings", "localField": "_id", "foreignField": "owner", "pipeline": mine, "as": "wished"}
        documents = await (
            await ledger.database["customers"].aggregate(
                [
                    {"$match": {"$and": [wanted, permit.where()]}},
                    {"$sort": {"_id": 1}},
                    {"$lookup": greeted},
                    {"$lookup": no},
                    {"$match": {"wished": [], "no": []}},
                    {"$limit": limit + 1},
                ]
            )
        ).to_list()
        heads = await ledger.read_heads(STORED, documents[:limit])
        permit.page([facts_of(STORED, str(one.key), one) for one in heads])
        shown = [
            ToGreet(customer_id=one.customer_id, code=one.code, grade=one.grade, owner_id=one.owner_id)
            for one in (head.state for head in heads)
            if one is not None
        ]
        return ToGreetPage(customers=shown, next=shown[-1].customer_id if len(documents) > limit else None)

    return router
