"""One timeline of a customer: what our own journal and the other services tell, from all channels (S0-01, S2-12)."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pymongo import DESCENDING

from services.customer.desk import STORED
from services.customer.drawing import STORED as SPENDINGS
from services.customer.model.parts import Interaction
from services.customer.reactions.note_what_others_tell import HEARD
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from shared.contracts.customer import InteractionLogged
from shared.contracts.decision import Invalid
from shared.contracts.envelope import Code, Moment, moment_text, parse_moment
from shared.plumbing.database import Collection, Document
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MAX_PAGE = 200
NEWEST = [("at", DESCENDING), ("subject", DESCENDING), ("revision", DESCENDING)]
UNSEALED = {"private": 0}
SAID_ELSEWHERE = ("customerId", "customerIds", "dims")


class PageUnknown(Invalid):
    SLUG = "page-unknown"


class Happened(Shown):
    """One event: which service told it, of what (`subject`, with its `revision`), and its public data.

    `note` is what was said in a conversation. What was written in a case or a survey stays with its service.
    """

    at: Moment
    service: str
    type: str
    subject: str
    revision: int
    actor: str | None = None
    channel: str | None = None
    data: dict[str, Any]
    note: str | None = None


class Timeline(Shown):
    """The latest first; `next` is the `after` of the following page."""

    happened: list[Happened]
    next: str | None = None


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/customers/{customer_id}/timeline."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])
    journal, heard = ledger.database["journal"], ledger.database[HEARD]

    @router.get(
        "/{customer_id}/timeline",
        response_model=Timeline,
        response_model_exclude_none=True,
        summary="What happened, the latest first",
    )
    async def timeline(
        customer_id: Code,
        permit: Reading,
        after: Annotated[str | None, Query(max_length=300, description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        service: Literal["customer", "survey", "feedback"] | None = None,
        channel: Code | None = None,
    ) -> Response:
        loaded, fields = await read_file(ledger, customer_id, permit)
        owners = owners_of(loaded)
        behind = {} if after is None else behind_of(*_place(after))
        told: list[Happened] = []
        if service in (None, "customer"):
            keys = [*owners, *await _about_several(owners)]
            told += await latest(journal, {"key": {"$in": keys}, **behind}, _own, channel, limit + 1)
        if service != "customer":
            of = {} if service is None else {"service": service}
            told += await latest(heard, {"customer": {"$in": owners}, **of, **behind}, _other, channel, limit + 1)
        page = sorted(told, key=_order, reverse=True)
        notes = await _notes(page[:limit])
        shown = []
        for one in page[:limit]:
            said = masked({"note": notes[one.data["interactionId"]]}, MASKS, fields) if _spoken(one, notes) else {}
            shown.append(one.model_copy(update=said))
        answer = Timeline(happened=shown, next=_named(page[limit - 1]) if len(page) > limit else None)
        return Response(answer.model_dump_json(by_alias=True, exclude_none=True), media_type="application/json")

    async def latest(
        collection: Collection, query: Document, told: Callable[[Document], Happened], channel: str | None, most: int
    ) -> list[Happened]:
        """The first in the order of the timeline, read by index no further than they take."""
        found: list[Happened] = []
        async with collection.find(query, UNSEALED).sort(NEWEST).limit(0 if channel else most) as cursor:
            async for document in cursor:
                one = told(document)
                if channel in (None, one.channel):
                    found.append(one)
                if len(found) == most:
                    break
        return found

    async def _about_several(owners: list[str]) -> list[str]:
        """Requests for gifts and expenses that are about these customers and others: they have a key of their own."""
        several = {"customers": {"$in": owners}, "customers.1": {"$exists": True}}
        return [one["_id"] for one in await ledger.database[SPENDINGS.collection].find(several, {"_id": 1}).to_list()]

    async def _notes(page: Iterable[Happened]) -> dict[str, str]:
        ids = [one.data["interactionId"] for one in page if one.type == InteractionLogged.TYPE]
        documents = await ledger.database["interactions"].find({"_id": {"$in": ids}}).to_list() if ids else []
        parts = await ledger.read_parts(STORED, "interactions", documents)
        found = zip(documents, parts, strict=True)
        return {document["_id"]: part.note for document, part in found if isinstance(part, Interaction) and part.note}

    return router


def _spoken(one: Happened, notes: dict[str, str]) -> bool:
    return one.type == InteractionLogged.TYPE and one.data["interactionId"] in notes


def _own(record: Document) -> Happened:
    envelope = orjson.loads(record["event"])
    data = {name: value for name, value in envelope["data"].items() if name not in SAID_ELSEWHERE}
    return Happened(
        at=record["at"],
        service="customer",
        type=record["type"],
        subject=record["subject"],
        revision=record["revision"],
        actor=envelope.get("actor"),
        channel=data.get("channel"),
        data=data,
    )


def _other(document: Document) -> Happened:
    return Happened(
        at=document["at"],
        service=document["service"],
        type=document["type"],
        subject=document["subject"],
        revision=document["revision"],
        actor=document.get("actor"),
        channel=document["data"].get("channel") or document["data"].get("mode"),
        data=document["data"],
    )


def behind_of(at: datetime, subject: str, revision: int) -> Document:
    """What comes after this place, as a filter that an index in the order of the timeline begins at."""
    ahead = [{"at": at, "subject": {"$gt": subject}}, {"at": at, "subject": subject, "revision": {"$gte": revision}}]
    return {"at": {"$lte": at}, "$nor": ahead}


def _order(one: Happened) -> tuple[datetime, str, int]:
    return one.at, one.subject, one.revision


def _named(one: Happened) -> str:
    return f"{moment_text(one.at)}~{one.subject}~{one.revision}"


def _place(text: str) -> tuple[datetime, str, int]:
    """Where the page before ended. Raises PageUnknown."""
    try:
        at, subject, revision = text.split("~")
        return parse_moment(at), subject, int(revision)
    except ValueError as error:
        raise PageUnknown(f"{text!r} is no `next` of this list; begin without `after`") from error


async def prepare(ledger: Ledger) -> None:
    """The order of the timeline, by whom it is about; safe to repeat."""
    await ledger.database["journal"].create_index([("key", 1), *NEWEST])
    await ledger.database[HEARD].create_index([("customer", 1), *NEWEST])
