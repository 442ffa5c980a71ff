"""One case with its history, the list of cases, and the words of one."""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from services.feedback.model.case import Case, Kind, Status, Words, evolve
from services.feedback.model.opening import CaseUnknown
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import Permit, allowed, facts_of
from shared.plumbing.journal import OWNER, Aggregate, Ledger, Loaded
from shared.policy.permission import masking
from shared.policy.permission.masking import masked
from shared.policy.permission.table import Fields
from shared.policy.timers import Timer

STORED = Aggregate("cases", Case, evolve, lambda state: state.key, owner=lambda state: state.assignee)
MAX_PAGE = 200
MASKS = {"externalId": masking.absent}
"""Whoever sees no personal fields does not see under which id the outside desk knows the case."""


class Shown(BaseModel):
    """Base of what this API answers: camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class ShownCycle(Shown):
    """When each kind of step was taken in one cycle; `resolvedAt` is the desk's report if `timeKnown` is false."""

    number: int
    reopened_at: Moment | None = None
    acknowledged_at: Moment | None = None
    assigned_at: Moment | None = None
    assignee: str | None = None
    responded_at: Moment | None = None
    resolved_at: Moment | None = None
    time_known: bool | None = None
    closed_at: Moment | None = None
    sla_kept: bool | None = None


class ShownDeadline(Shown):
    """An open deadline; `stopped` while it stands still, `told` counts what was told of it (warning, due, overdue)."""

    kind: str
    due_at: Moment
    warn_at: Moment
    stopped: bool
    told: int


class CaseFile(Shown):
    """The head of a case; `version` counts its events. What was written is at `/v1/cases/{caseId}/text`."""

    case_id: str
    version: int
    kind: Kind
    status: Status
    desk: Literal["own", "outside"]
    source: str
    external_id: str | None = None
    customer_id: str | None = None
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    severity: str | None = None
    priority: str | None = None
    opened_at: Moment
    source_response_id: str | None = None
    loop_id: str | None = None
    dims: dict[str, str] = {}
    cycle: int
    cycles: list[ShownCycle]
    deadlines: list[ShownDeadline] = []


AS_STORED = tuple(name for name in CaseFile.model_fields if name in Case.model_fields and name != "cycles")
"""What is shown as it stands in the state."""


class CasePage(Shown):
    """A page of cases in the order of their ids; `next` is the `after` of the following page."""

    cases: list[CaseFile]
    next: str | None = None


class Happened(Shown):
    """One event of a case: what, when it happened and was recorded, who brought it about, and its public data."""

    revision: int
    type: str
    time: Moment
    recorded: Moment
    actor: str | None = None
    policy_version: str | None = None
    data: dict[str, Any]


class CaseHistory(CaseFile):
    """A case and everything that was recorded of it, oldest first."""

    history: list[Happened]


class ShownWords(Shown):
    """What was written: the case itself, a reply, a solution, a reason for reopening."""

    kind: str
    at: Moment
    by: str | None = None
    text: str


def as_case(loaded: Loaded[Case]) -> dict[str, Any]:
    """The head of a case as JSON."""
    state = loaded.state
    if state is None:
        raise ValueError("a case that does not exist cannot be shown")
    shown = CaseFile.model_validate(
        {
            **{name: getattr(state, name) for name in AS_STORED},
            "version": loaded.version,
            "cycle": state.cycles[-1].number,
            "cycles": [_cycle(one.model_dump()) for one in state.cycles],
            "deadlines": [_deadline(one) for one in state.timers],
        }
    )
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def _deadline(timer: Timer) -> dict[str, Any]:
    instants = {"due_at": timer.target.due_at, "warn_at": timer.target.warn_at}
    return {"kind": timer.kind, "told": timer.told, "stopped": timer.stopped_at is not None, **instants}


def _cycle(told: dict[str, Any]) -> dict[str, Any]:
    steps = {name: step for name, step in told.items() if isinstance(step, dict)}
    moments = {f"{name}_at": step["at"] for name, step in steps.items()}
    more = {
        name: step[name] for step in steps.values() for name in ("assignee", "time_known", "sla_kept") if name in step
    }
    return {"number": told["number"], **moments, **more}


def routes(ledger: Ledger) -> APIRouter:
    """The read routes below /v1/cases."""
    router = APIRouter(prefix="/v1/cases", tags=["cases"])
    cases = ledger.database["cases"]

    @router.get("", response_model=CasePage, response_model_exclude_none=True, summary="List cases")
    async def list_cases(
        permit: Annotated[Permit, allowed("case.read", rows=True)],
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        kind: Kind | None = None,
        status: Status | None = None,
        priority: Code | None = None,
        customer: Code | None = None,
        source: Code | None = None,
    ) -> CasePage:
        wanted = {"kind": kind, "status": status, "priority": priority, "customer_id": customer, "source": source}
        query: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        if after is not None:
            query["_id"] = {"$gt": after}
        documents = await cases.find({"$and": [query, permit.where()]}).sort("_id", 1).limit(limit + 1).to_list()
        heads = await ledger.read_heads(STORED, documents[:limit])
        seen = permit.page(
            [facts_of(STORED, document["_id"], one) for document, one in zip(documents, heads, strict=False)]
        )
        shown = [
            CaseFile.model_validate(masked(as_case(one), MASKS, fields))
            for one, fields in zip(heads, seen, strict=True)
        ]
        return CasePage(cases=shown, next=shown[-1].case_id if len(documents) > limit else None)

    @router.get(
        "/{case_id}",
        response_model=CaseHistory,
        response_model_exclude_none=True,
        summary="Read one case and its history",
    )
    async def read_case(case_id: Code, permit: Annotated[Permit, allowed("case.read", rows=True)]) -> dict[str, Any]:
        loaded, fields = await head(case_id, permit)
        shown = masked(as_case(loaded), MASKS, fields)
        records = ledger.database["journal"].find({"subject": case_id}, {"private": 0}).sort("revision", 1)
        events = [orjson.loads(record["event"]) async for record in records]
        # An event committed since the head was read belongs to the next answer.
        return {**shown, "history": [_happened(one) for one in events if one["revision"] <= shown["version"]]}

    @router.get("/{case_id}/text", response_model_exclude_none=True, summary="What was written in a case, oldest first")
    async def read_words(
        case_id: Code, permit: Annotated[Permit, allowed("case.read_text", rows=True)]
    ) -> list[ShownWords]:
        await head(case_id, permit)
        documents = await ledger.database["words"].find({"owner": case_id}).sort("at", 1).to_list()
        found = await ledger.read_parts(STORED, "words", documents)
        return [ShownWords.model_validate(one.model_dump()) for one in found if isinstance(one, Words)]

    async def head(case_id: str, permit: Permit) -> tuple[Loaded[Case], Fields]:
        document = await cases.find_one({"_id": case_id})
        loaded = Loaded[Case](None) if document is None else await ledger.read_head(STORED, document)
        fields = permit.on(facts_of(STORED, case_id, loaded))
        if loaded.state is None:
            raise CaseUnknown(f"there is no case {case_id}; open it with POST /v1/cases")
        return loaded, fields

    return router


def _happened(envelope: dict[str, Any]) -> dict[str, Any]:
    names = {"recorded": "recordedtime", "policyVersion": "policyversion"}
    plain = ("revision", "type", "time", "actor", "data")
    return {name: envelope.get(names.get(name, name)) for name in (*plain, *names)}


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    for name in ("customer_id", "status", "source", "priority", OWNER):
        await ledger.database["cases"].create_index([(name, 1), ("_id", 1)])
    await ledger.database["words"].create_index([("owner", 1), ("at", 1)])
