"""One timeline of a customer: what our own journal and the other services tell, from all channels (S0-01, S2-12)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query

from services.customer.desk import STORED
from services.customer.drawing import STORED as SPENDINGS
from services.customer.model.parts import Interaction
from services.customer.reactions.note_what_others_tell import HEARD
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from services.customer.views.visits import STORED as VISITS
from shared.contracts.customer import InteractionLogged
from shared.contracts.decision import Invalid
from shared.contracts.envelope import Code, Moment, moment_text, parse_moment
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MAX_PAGE = 200
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

    @router.get("/{customer_id}/timeline", response_model_exclude_none=True, summary="What happened, the latest first")
    async def timeline(
        customer_id: Code,
        permit: Reading,
        after: Annotated[str | None, Query(max_length=300, description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        service: Literal["customer", "survey", "feedback"] | None = None,
        channel: Code | None = None,
    ) -> Timeline:
        loaded, fields = await read_file(ledger, customer_id, permit)
        owners = owners_of(loaded)
        before = None if after is None else _place(after)
        told: list[Happened] = []
        if service in (None, "customer"):
            subjects = [*owners, *await _about(owners)]
            told += _own(await journal.find({"subject": {"$in": subjects}}, {"event": 1}).to_list())
        if service != "customer":
            told += _others(await heard.find({"customer": {"$in": owners}}).to_list())
        wanted = [
            one
            for one in told
            if service in (None, one.service)
            and channel in (None, one.channel)
            and (before is None or _order(one) < before)
        ]
        page = sorted(wanted, key=_order, reverse=True)[: limit + 1]
        notes = await _notes(page[:limit])
        shown = []
        for one in page[:limit]:
            said = masked({"note": notes[one.data["interactionId"]]}, MASKS, fields) if _spoken(one, notes) else {}
            shown.append(one.model_copy(update=said))
        return Timeline(happened=shown, next=_named(page[limit - 1]) if len(page) > limit else None)

    async def _about(owners: list[str]) -> list[str]:
        """Visits, and requests for gifts and expenses: subjects of their own that are about these customers."""
        found: list[str] = []
        for aggregate, field in ((VISITS, "customer_id"), (SPENDINGS, "customers")):
            cursor = ledger.database[aggregate.collection].find({field: {"$in": owners}}, {"_id": 1})
            found += [document["_id"] for document in await cursor.to_list()]
        return found

    async def _notes(page: Iterable[Happened]) -> dict[str, str]:
        ids = [one.data["interactionId"] for one in page if one.type == InteractionLogged.TYPE]
        documents = await ledger.database["interactions"].find({"_id": {"$in": ids}}).to_list() if ids else []
        parts = await ledger.read_parts(STORED, "interactions", documents)
        found = zip(documents, parts, strict=True)
        return {document["_id"]: part.note for document, part in found if isinstance(part, Interaction) and part.note}

    return router


def _spoken(one: Happened, notes: dict[str, str]) -> bool:
    return one.type == InteractionLogged.TYPE and one.data["interactionId"] in notes


def _own(records: Iterable[dict[str, Any]]) -> Iterable[Happened]:
    for record in records:
        envelope = orjson.loads(record["event"])
        data = {name: value for name, value in envelope["data"].items() if name not in SAID_ELSEWHERE}
        yield Happened(
            at=parse_moment(envelope["time"]),
            service="customer",
            type=envelope["type"],
            subject=envelope["subject"],
            revision=envelope["revision"],
            actor=envelope.get("actor"),
            channel=data.get("channel"),
            data=data,
        )


def _others(documents: Iterable[dict[str, Any]]) -> Iterable[Happened]:
    for one in documents:
        yield Happened(
            at=one["at"],
            service=one["service"],
            type=one["type"],
            subject=one["subject"],
            revision=one["revision"],
            actor=one.get("actor"),
            channel=one["data"].get("channel") or one["data"].get("mode"),
            data=one["data"],
        )


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
