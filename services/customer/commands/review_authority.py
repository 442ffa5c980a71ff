"""Reviews of the limits of authority: called for as time passes, drafted for and decided by HTTP (S0-43, S3-01)."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from services.customer.commands.acting import acting
from services.customer.desk import Desk
from services.customer.model.authority_reviews import (
    EVERY,
    AuthorityReview,
    ReviewUnknown,
    begin,
    call_for,
    decide,
    draft,
)
from services.customer.staffing import Staffing
from services.customer.views.authority_reviews import STORED, ShownAuthorityReview, as_review
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import fire
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.escalating import Ladder
from shared.policy.pack import Document

REVIEWS_EVERY_S = 300.0


class ReviewDecision(BaseModel):
    """What was decided in this cycle, and why; changed limits stand in a new version of the document."""

    model_config = ConfigDict(extra="forbid")
    cycle: Annotated[int, Field(ge=1)]
    outcome: Literal["kept", "changed"]
    reason: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(examples=["业务规模未变，授权范围不变"])


class RuleDraft(BaseModel):
    """What the document should say, and why; kept here, sealed, until the review is decided."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(min_length=1, max_length=20_000)] = Field(examples=["经理审批额度调至2000元"])


class AuthorityReviews:
    """A chore, repeatable at any time: begins the reviews of new documents and tells what has come of the others."""

    def __init__(self, ledger: Ledger, desk: Desk, staffing: Staffing) -> None:
        self._ledger = ledger
        self._desk = desk
        self._staffing = staffing

    async def step(self) -> int:
        """Answers how many reviews were begun or looked at; what they take and no policy sets refuses them."""
        if self._desk.policies.speaking(EVERY, self._desk.today()) is None:
            return 0
        stored = self._ledger.database[STORED.collection]
        known = {one["_id"]: one.get("timer_at") for one in await stored.find({}, {"timer_at": 1}).to_list()}
        now = self._ledger.clock.now()
        kept = {review_id: (pack, document) for review_id, pack, document in documents(self._desk)}
        new = [one for one in kept if one not in known]
        come = [one for one, at in known.items() if one in kept and at is not None and at <= now]
        await fire(self._ledger, [[self._begins(one, *kept[one])] for one in new])
        if come:
            ladder = await self._staffing.ladder()
            await fire(self._ledger, [[self._calls(one, kept[one][1], ladder)] for one in come])
        return len(new) + len(come)

    def _begins(self, review_id: str, pack: str, document: Document) -> Task[AuthorityReview]:
        def rule(state: AuthorityReview | None, scene: Scene) -> Sequence[Said]:
            return begin(state, review_id, pack, document, self._desk.policies, self._desk.day(scene.now), scene.now)

        return Task(STORED, review_id, rule)

    def _calls(self, review_id: str, document: Document, ladder: Ladder) -> Task[AuthorityReview]:
        def rule(state: AuthorityReview | None, scene: Scene) -> Sequence[Said]:
            return call_for(state, document, ladder, self._desk.policies, self._desk.day(scene.now), scene.now)

        return Task(STORED, review_id, rule)


def documents(desk: Desk) -> Iterator[tuple[str, str, Document]]:
    """Every document of the policies with its pack and the id of its review."""
    for pack in desk.policies.packs:
        for one in pack.documents:
            yield desk.identity.of("authority review", pack.pack, one.document), pack.pack, one


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/authority-reviews/{review_id}/drafts and …/decisions."""
    router = APIRouter(prefix="/v1/authority-reviews", tags=["policies"])

    @router.post(
        "/{review_id}/drafts",
        response_model=ShownAuthorityReview,
        summary="Draft what the document should say, or assist",
        dependencies=[allowed("policy.draft")],
    )
    async def draft_rule(
        review_id: Code,
        body: RuleDraft,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: AuthorityReview | None, scene: Scene) -> Sequence[Said]:
            return draft(state, body.text, who, desk.policies, desk.day(scene.now), scene.now)

        return await carry_out(ledger, Task(STORED, review_id, rule), request, partial(as_review, desk), status=200)

    @router.post(
        "/{review_id}/decisions",
        response_model=ShownAuthorityReview,
        summary="Record what the yearly review decided",
        dependencies=[allowed("policy.approve")],
    )
    async def decide_review(
        review_id: Code,
        body: ReviewDecision,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        document = next((one for known, _, one in documents(desk) if known == review_id), None)
        if document is None:
            raise ReviewUnknown(f"there is no review {review_id}; GET /v1/authority-reviews lists them")
        told = body.cycle, body.outcome, body.reason, document, who, desk.policies

        def rule(state: AuthorityReview | None, scene: Scene) -> Sequence[Said]:
            return decide(state, *told, desk.day(scene.now), scene.now)

        return await carry_out(ledger, Task(STORED, review_id, rule), request, partial(as_review, desk), status=200)

    return router
