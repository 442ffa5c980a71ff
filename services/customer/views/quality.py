"""How good the files are: one file, the queues of those to be put right, the tasks, and the whole stock (S3-25)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from services.customer.assessing import QUALITIES
from services.customer.desk import Desk
from services.customer.model.cleaning import Cleaning
from services.customer.model.quality import STALE, Yardstick, quality
from services.customer.views.customer_file import Reading, Shown, read_file
from services.customer.views.worklist import After, Limit, PageUnknown, at_stage, beyond, next_page, worklist
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.database import Document
from shared.plumbing.journal import OWNER, Ledger
from shared.policy.permission.decision import Facts

Queue = Literal["invalid", "stale"]


class FileQuality(Shown):
    """Three scores of a file and the weighted one, all in percent; problems as codes such as `missing:industry`."""

    customer_id: str
    completeness: int
    validity: int
    timeliness: int
    score: int
    problems: list[str]
    verified_at: Moment | None = None


class Queued(Shown):
    """A file to be put right."""

    customer_id: str
    owner_id: str | None = None
    completeness: int
    validity: int
    problems: list[str]
    verified_at: Moment


class QueuePage(Shown):
    """A page of a queue: the worst first, or the longest unverified first; `next` is the `after` of the next page."""

    files: list[Queued]
    next: str | None = None


class ShownCleaning(Shown):
    """A task: `responsible` is a person, where the file has an owner, else whoever has the `role`."""

    customer_id: str
    cleaning_id: str
    problems: list[str]
    responsible: str | None = None
    role: str
    status: str
    overdue: bool
    late: bool
    asked_at: Moment
    due_at: Moment
    closed_at: Moment | None = None
    why: dict[str, str] = {}


class CleaningPage(Shown):
    """A page of tasks, the earliest due first."""

    cleanings: list[ShownCleaning]
    next: str | None = None


class Stock(Shown):
    """The files that can be put right, and the tasks about them; completeness and validity are means in percent."""

    files: int
    invalid: int
    stale: int
    completeness: float | None
    validity: float | None
    open_cleanings: int
    overdue_cleanings: int


def queued(queue: Queue, measure: Yardstick) -> tuple[dict[str, Any], str]:
    """The files of a queue as a filter, and the field that says which comes first."""
    if queue == STALE:
        return {"void": False, "verified_at": {"$lt": measure.stale_before}}, "verified_at"
    return {"invalid": True}, "worth"


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET …/quality of a file, /v1/quality, /v1/quality/queues/{queue} and /v1/cleanings."""
    router = APIRouter(prefix="/v1", tags=["quality"])
    qualities, cleanings = ledger.database[QUALITIES], ledger.database["cleanings"]

    @router.get("/customers/{customer_id}/quality", response_model_exclude_none=True, summary="How good a file is")
    async def of_file(customer_id: Code, permit: Reading) -> FileQuality:
        loaded, _ = await read_file(ledger, customer_id, permit)
        if loaded.state is None:
            raise ValueError("a file that was read exists")
        found = quality(loaded.state, desk.measure(ledger.clock.now()))
        return FileQuality(customer_id=loaded.state.customer_id, **vars(found))

    @router.get("/quality", summary="How good the stock is", dependencies=[allowed("metric.read")])
    async def of_stock() -> Stock:
        now = ledger.clock.now()
        stale, _ = queued("stale", desk.measure(now))
        means = {"_id": None, "n": {"$sum": 1}, "c": {"$avg": "$completeness"}, "v": {"$avg": "$validity"}}
        summed = await (await qualities.aggregate([{"$match": {"void": False}}, {"$group": means}])).to_list()
        one = summed[0] if summed else {"n": 0, "c": None, "v": None}
        return Stock(
            files=one["n"],
            invalid=await qualities.count_documents({"invalid": True}),
            stale=await qualities.count_documents(stale),
            completeness=one["c"],
            validity=one["v"],
            open_cleanings=await cleanings.count_documents({"status": "open"}),
            overdue_cleanings=await cleanings.count_documents({"status": "open", "due_at": {"$lte": now}}),
        )

    @router.get("/quality/queues/{queue}", response_model_exclude_none=True, summary="Files to be put right")
    async def of_queue(
        permit: Reading, queue: Annotated[Queue, Path()], after: After = None, limit: Limit = 50
    ) -> QueuePage:
        wanted, order = queued(queue, desk.measure(ledger.clock.now()))
        behind = beyond(after, order) if order == "verified_at" else _beyond(after)
        query = {"$and": [wanted, permit.where(), behind]}
        found = await qualities.find(query).sort([(order, 1), ("_id", 1)]).limit(limit + 1).to_list()
        page = found[:limit]
        permit.page([_facts(one) for one in page])
        files = [Queued.model_validate({**one, "customer_id": one["_id"], "owner_id": one[OWNER]}) for one in page]
        if len(found) <= limit:
            return QueuePage(files=files)
        last = page[-1]
        further = next_page(last[order], last["_id"]) if order == "verified_at" else f"{last[order]}~{last['_id']}"
        return QueuePage(files=files, next=further)

    @router.get("/cleanings", response_model_exclude_none=True, summary="Cleaning tasks, the earliest due first")
    async def tasks(
        permit: Reading,
        status: Literal["open", "overdue", "corrected", "void"] = "open",
        responsible: Code | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> CleaningPage:
        now = ledger.clock.now()
        wanted = at_stage(status, responsible, now)
        items, more = await worklist(ledger, permit, "cleanings", wanted, "due_at", after, limit)
        shown = [
            ShownCleaning(
                customer_id=one.customer_id,
                cleaning_id=one.part_id,
                overdue=one.part.status == "open" and one.part.due_at <= now,
                **one.part.model_dump(),
            )
            for one in items
            if isinstance(one.part, Cleaning)
        ]
        return CleaningPage(cleanings=shown, next=more)

    return router


def _beyond(after: str | None) -> dict[str, Any]:
    if after is None:
        return {}
    worth, _, identifier = after.partition("~")
    if not worth.isdecimal():
        raise PageUnknown(f"{after!r} is no `next` of this list; begin without `after`")
    return {"$or": [{"worth": {"$gt": int(worth)}}, {"worth": int(worth), "_id": {"$gt": identifier}}]}


def _facts(found: Document) -> Facts:
    owner = found[OWNER]
    return Facts(found["_id"], frozenset() if owner is None else frozenset({owner}), claimable=True)
