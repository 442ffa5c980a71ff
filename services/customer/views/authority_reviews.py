"""The yearly reviews of the limits of authority: what is due, and what was decided last (S0-43, S3-01)."""

from typing import Annotated, Any

from fastapi import APIRouter

from services.customer.desk import Desk
from services.customer.model import authority_reviews
from services.customer.model.authority_reviews import AuthorityReview, existing, in_force
from services.customer.views.customer_file import Shown
from shared.contracts.envelope import Moment
from shared.plumbing.access import Permit, allowed
from shared.plumbing.journal import Aggregate, Ledger, Loaded
from shared.policy.differences import NoSuchVersion, differences, named

STORED = Aggregate("authority_reviews", AuthorityReview, authority_reviews.evolve, lambda state: state.review_id)


class ShownDraft(Shown):
    """What somebody would have the document say."""

    by: str
    role: str
    at: Moment
    text: str


class ShownAuthorityReview(Shown):
    """The review in hand of one document, and the last decision; `changedKeys` differ from what was decided on then."""

    review_id: str
    pack: str
    document: str
    cycle: int
    ask_at: Moment
    due_at: Moment
    told: int
    version: str | None = None
    outcome: str | None = None
    version_decided: str | None = None
    decided_by: str | None = None
    decided_at: Moment | None = None
    changed_keys: list[str] = []
    drafts: list[ShownDraft] = []


def as_review(desk: Desk, loaded: Loaded[AuthorityReview]) -> dict[str, Any]:
    """One review as JSON."""
    state, today = existing(loaded.state), desk.today()
    version = in_force(state, desk.policies, today)
    known = state.model_dump(exclude={"next_at", "timer_at", "told_to"})
    known |= {"told": len(state.told_to), "drafts": [one.model_dump() for one in state.drafts.values()]}
    shown = ShownAuthorityReview(**known, version=version, changed_keys=_changed(desk, state.version_decided, version))
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/authority-reviews."""
    router = APIRouter(prefix="/v1", tags=["policies"])

    @router.get(
        "/authority-reviews",
        response_model=list[ShownAuthorityReview],
        response_model_exclude_none=True,
        summary="Yearly reviews of the limits of authority, those due first before others",
    )
    async def list_reviews(_permit: Annotated[Permit, allowed("policy.read")]) -> list[dict[str, Any]]:
        documents = await ledger.database[STORED.collection].find().sort([("due_at", 1), ("_id", 1)]).to_list()
        return [as_review(desk, one) for one in await ledger.read_heads(STORED, documents)]

    return router


def _changed(desk: Desk, before: str | None, now: str | None) -> list[str]:
    """The keys that two versions set differently; none where one of them is on no shelf any more."""
    if before is None or now is None:
        return []
    packs, today = desk.policies.packs, desk.today()
    try:
        old, new = (named(one.partition("@")[0], packs, today) for one in (before, now))
    except NoSuchVersion:
        return []
    return [one.key for one in differences(old, new)]
