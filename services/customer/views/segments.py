"""Segments: the saved rules, how many customers each chooses, who they are, and these as a table (S2-06)."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from services.customer.desk import STORED, Desk
from services.customer.model import segments
from services.customer.model.choosing_rule import RULE, AllOf, AnyOf, Not, Rule, Trait, query
from services.customer.model.segments import Segment, SegmentUnknown, kept
from services.customer.sheets import MEDIA, csv_lines
from services.customer.views.customer_file import MASKS, CustomerFile, CustomerPage, Reading, Shown, as_file
from services.customer.views.export import COLUMNS, Exporting, pages_of
from services.customer.views.leaving import ANSWERED, For, Leaving
from services.customer.views.worklist import Limit
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed, facts_of
from shared.plumbing.journal import Aggregate, Ledger, Loaded
from shared.policy.permission.masking import masked

SEGMENTS = Aggregate("segments", Segment, segments.evolve, lambda state: state.segment_id)
MOST = 500


class ShownSegment(Shown):
    """A saved rule; `edition` counts its changes."""

    segment_id: str
    name: str | None = None
    rule: Rule
    edition: int
    dropped: bool


class CountedSegment(ShownSegment):
    """A saved rule, and how many customers it chooses now."""

    customers: int


def as_segment(loaded: Loaded[Segment]) -> dict[str, Any]:
    """One segment as JSON."""
    if loaded.state is None:
        raise ValueError("a segment that does not exist cannot be shown")
    shown = ShownSegment.model_validate(loaded.state.model_dump())
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def members(rule: AllOf | AnyOf | Not | Trait, now: datetime) -> dict[str, Any]:
    """Whom a rule chooses, as a filter over files; none that is merged into another or was erased."""
    return {"$and": [query(rule, now), {"merged_into": None, "erased_at": None}]}


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET below /v1/segments."""
    router = APIRouter(prefix="/v1/segments", tags=["segments"])
    customers = ledger.database["customers"]

    async def segment(segment_id: str) -> tuple[Loaded[Segment], dict[str, Any]]:
        """The segment, and the filter of its members."""
        document = await ledger.database["segments"].find_one({"_id": segment_id})
        if document is None:
            raise SegmentUnknown(f"there is no segment {segment_id}; list them first")
        loaded = await ledger.read_head(SEGMENTS, document)
        rule = RULE.validate_python(kept(loaded.state, segment_id).rule)
        return loaded, members(rule, ledger.clock.now())

    @router.get("", response_model_exclude_none=True, summary="The saved rules", dependencies=[allowed("segment.read")])
    async def listed() -> list[ShownSegment]:
        documents = await ledger.database["segments"].find({"dropped": False}).sort("_id", 1).limit(MOST).to_list()
        heads = await ledger.read_heads(SEGMENTS, documents)
        return [ShownSegment.model_validate(as_segment(one)) for one in heads]

    @router.get(
        "/{segment_id}",
        response_model_exclude_none=True,
        summary="A saved rule, and how many customers it chooses now",
        dependencies=[allowed("segment.read")],
    )
    async def counted(segment_id: Code) -> CountedSegment:
        loaded, chosen = await segment(segment_id)
        count = await customers.count_documents(chosen)
        return CountedSegment.model_validate({**as_segment(loaded), "customers": count})

    @router.get("/{segment_id}/members", response_model_exclude_none=True, summary="Its customers within reach")
    async def members_of(
        segment_id: Code,
        permit: Reading,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Limit = 50,
    ) -> CustomerPage:
        reach = permit.where()
        _, chosen = await segment(segment_id)
        behind = {"_id": {"$gt": after}} if after is not None else {}
        documents = await customers.find({"$and": [chosen, behind, reach]}).sort("_id", 1).limit(limit + 1).to_list()
        heads = await ledger.read_heads(STORED, documents[:limit])
        seen = permit.page([facts_of(STORED, str(one.key), one) for one in heads])
        shown = [
            CustomerFile.model_validate(masked(as_file(desk, one), MASKS, fields))
            for one, fields in zip(heads, seen, strict=True)
        ]
        return CustomerPage(customers=shown, next=shown[-1].customer_id if len(documents) > limit else None)

    @router.get(
        "/{segment_id}/export",
        response_class=Response,
        responses=ANSWERED,
        summary="Its customers as CSV for a purpose; every file in it is audited, no cell is taken for a formula",
    )
    async def export(segment_id: Code, permit: Exporting, purpose: For = None) -> Response:
        reach = permit.where()
        leaving = Leaving.of(ledger, desk, purpose)
        _, chosen = await segment(segment_id)
        wanted = {"$and": [chosen, reach]}
        called = f'attachment; filename="segment-{segment_id[:8]}.csv"'
        named = {"Content-Disposition": called, **await leaving.headers(wanted)}
        pages = pages_of(desk, permit, leaving, wanted)
        return StreamingResponse(csv_lines(COLUMNS, pages), media_type=MEDIA["csv"], headers=named)

    return router
