"""Files that may be about the same customer: masked, with score and reasons, so that everybody may see them (S2-15).

Whoever asks learns who is a customer, so each file that is shown is told of in the audit (S0-37).
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from services.customer.commands.register_customer import CreateCustomer
from services.customer.desk import STORED, Desk
from services.customer.duplicates import Candidate, Duplicates, Thresholds
from services.customer.model.customer import Customer
from services.customer.model.telling_apart import ToldApart
from services.customer.views.customer_file import Shown
from shared.contracts.envelope import Moment
from shared.plumbing.access import Permit, allowed
from shared.plumbing.commands import Asked, asked
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import person

MAX_PAGE = 200


class Hit(Shown):
    """A file without its personal fields: enough to ask its owner."""

    customer_id: str
    code: str
    name: str
    owner_id: str | None = None


class ScoredHit(Hit):
    """A file like the one asked about; `score` in percent."""

    score: int
    reasons: list[str]


class Pair(Shown):
    """Two files that may be one; `dismissed` by whom and when, if somebody said that they are not."""

    score: int
    reasons: list[str]
    files: list[Hit]
    dismissed_by: str | None = None
    dismissed_at: Moment | None = None


class Dismissal(Shown):
    """Two files; with `by`, `at` and `reason` once somebody said that they are not the same customer."""

    customer_id: str
    other_id: str
    by: str | None = None
    at: Moment | None = None
    reason: str | None = None


class PairPage(Shown):
    """A page of pairs, the most alike first."""

    pairs: list[Pair]


class Scan(Shown):
    """What a scan of the stock saw; `skipped` counts the marks that too many files share."""

    blocks: int
    skipped: int
    pairs: int
    candidates: int


def hit(customer: Customer) -> Hit:
    """A file as anybody may see it."""
    return Hit(
        customer_id=customer.customer_id,
        code=customer.code,
        name=person(customer.company or customer.name or "?"),
        owner_id=customer.owner_id,
    )


def scored(candidate: Candidate) -> ScoredHit:
    """A candidate as anybody may see it."""
    like = candidate.likeness
    return ScoredHit(**hit(candidate.customer).model_dump(), score=like.score, reasons=list(like.reasons))


def as_dismissal(customer_id: str, other_id: str, told: ToldApart | None) -> dict[str, Any]:
    """What somebody said of a pair, as JSON."""
    said = {} if told is None else {"by": told.by, "at": told.at, "reason": told.reason}
    shown = Dismissal.model_validate({"customer_id": customer_id, "other_id": other_id, **said})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk, duplicates: Duplicates) -> APIRouter:
    """Below /v1/duplicates: check before opening a file, scan the stock, list the pairs."""
    router = APIRouter(prefix="/v1/duplicates", tags=["duplicates"])

    @router.post(
        "/check", summary="Files like the one that would be opened; nothing is recorded but that they were shown"
    )
    async def check_duplicates(
        body: CreateCustomer, permit: Annotated[Permit, allowed("customer.create")]
    ) -> list[ScoredHit]:
        thresholds = Thresholds.of(desk.policies, desk.today())
        alike = await duplicates.like(body.model_dump(), "", thresholds.shown)
        permit.hit([one.customer.customer_id for one in alike], "masked")
        return [scored(one) for one in alike]

    @router.post(
        "/scans",
        summary="Compare all files that have something in common; answers when done",
        dependencies=[allowed("duplicate.scan")],
    )
    async def scan_stock(_request: Annotated[Asked, Depends(asked)]) -> Scan:
        thresholds = Thresholds.of(desk.policies, desk.today())
        return Scan.model_validate(vars(await duplicates.scan(thresholds.shown)))

    @router.get(
        "",
        response_model_exclude_none=True,
        summary="Pairs of files that may be one, the most alike first",
    )
    async def list_pairs(
        permit: Annotated[Permit, allowed("duplicate.read")],
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        skip: Annotated[int, Query(ge=0, le=100_000)] = 0,
        dismissed: Annotated[
            bool, Query(description="Those that somebody told apart, instead of the open ones.")
        ] = False,
    ) -> PairPage:
        apart = {"from": "told_apart", "localField": "_id", "foreignField": "_id", "as": "apart"}
        pipeline: list[dict[str, Any]] = [
            {"$sort": {"score": -1, "_id": 1}},
            {"$lookup": apart},
            {"$match": {"apart.0": {"$exists": dismissed}}},
            {"$skip": skip},
            {"$limit": limit},
        ]
        documents = await (await ledger.database["duplicates"].aggregate(pipeline)).to_list()
        heads = await _heads(ledger, [one[side] for one in documents for side in ("a", "b")])
        pairs = []
        for one in documents:
            files = [heads.get(one[side]) for side in ("a", "b")]
            if any(file is None or file.merged_into is not None for file in files):
                continue
            told = {f"dismissed_{name}": one["apart"][0][name] for name in ("by", "at")} if one["apart"] else {}
            shown = {**told, "files": [hit(file) for file in files if file is not None]}
            pairs.append(Pair.model_validate({"score": one["score"], "reasons": one["reasons"], **shown}))
        permit.read(tuple(sorted({file.customer_id for pair in pairs for file in pair.files})), "masked")
        return PairPage(pairs=pairs)

    return router


async def _heads(ledger: Ledger, ids: list[str]) -> dict[str, Customer]:
    documents = await ledger.database["customers"].find({"_id": {"$in": ids}}).to_list()
    states = [one.state for one in await ledger.read_heads(STORED, documents)]
    return {one.customer_id: one for one in states if one is not None}
