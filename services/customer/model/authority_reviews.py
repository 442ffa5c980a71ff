"""Rules: limits of authority are reviewed every year: drafted, asked for, told up the line when late (S0-43, S3-01)."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, computed_field, model_validator

from shared.contracts import authority as said
from shared.contracts.decision import NotFound, Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.approval import UNNAMED
from shared.policy.approvals.escalating import Call, Ladder, calls
from shared.policy.calendar.reckoning import months_later
from shared.policy.chart import Rung
from shared.policy.declared import Span
from shared.policy.pack import Document
from shared.policy.policies import ESCALATE_KEY, Policies

EVERY, ASK, LAST = "authority.review.every", "authority.review.ask", "roles.reports_to"
DRAFTERS = "policy.draft.contributors"
MOST_DRAFTS = 100


class ReviewUnknown(NotFound):
    SLUG = "authority-review-unknown"


class ReviewDecidedAlready(Refusal):
    SLUG = "authority-review-decided-already"


class NotYoursToReview(Refusal):
    STATUS = 403
    SLUG = "authority-review-not-yours"


class NotYoursToDraft(Refusal):
    STATUS = 403
    SLUG = "rule-not-yours-to-draft"


class DraftsFull(Refusal):
    SLUG = "authority-review-drafts-full"


class Draft(BaseModel):
    """What somebody would have the document say, in the role in which the policy lets it be said."""

    model_config = ConfigDict(frozen=True)
    by: str
    role: str
    at: datetime
    text: str


class AuthorityReview(State):
    """The review of one document in its present cycle, and what came of the last one.

    `next_at` is when somebody hears of it next, `told_to` are the roles that have: the one asked, then the levels of
    those who hear that it is overdue. `drafts` are this cycle's.
    """

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"drafts"})
    review_id: str
    pack: str
    document: str
    cycle: int
    ask_at: datetime
    due_at: datetime
    told_to: tuple[str, ...] = ()
    next_at: datetime | None = None
    outcome: str | None = None
    version_decided: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    drafts: dict[str, Draft] = {}

    @model_validator(mode="before")
    @classmethod
    def _of_levels_counted(cls, stored: Any) -> Any:
        """What was stored when levels were counted knows how many have heard."""
        if not isinstance(stored, dict) or "told" not in stored:
            return stored
        return {**stored, "told_to": (UNNAMED,) * stored["told"]}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def timer_at(self) -> datetime | None:
        """When there is something to tell next; stored, so that it is found then."""
        return self.next_at


def evolve(state: AuthorityReview | None, event: Event, private: Mapping[str, Any]) -> AuthorityReview:
    """Fold one event into the state."""
    if isinstance(event, said.AuthorityReviewBegun):
        return AuthorityReview(**event.model_dump(), next_at=event.ask_at)
    known = existing(state)
    match event:
        case said.AuthorityReviewCalledFor():
            return known.model_copy(update={"told_to": (*known.told_to, event.to), "next_at": event.next_at})
        case said.RuleDrafted():
            one = Draft(by=event.by, role=event.role, at=event.at, text=private["text"])
            return known.model_copy(update={"drafts": {**known.drafts, str(len(known.drafts) + 1): one}})
        case said.AuthorityReviewed():
            last = {"outcome": event.outcome, "decided_by": event.by, "decided_at": event.at}
            ahead = {"ask_at": event.ask_at, "due_at": event.due_at, "next_at": event.ask_at}
            again = {"cycle": event.cycle + 1, "told_to": (), "version_decided": event.version, "drafts": {}}
            return known.model_copy(update={**last, **ahead, **again})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a review")


def begin(
    state: AuthorityReview | None,
    review_id: str,
    pack: str,
    document: Document,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Have a document reviewed by the day it names itself; repeatable. Raises LimitUnset."""
    if state is not None:
        return []
    times, version = _times(policies, on, document.review_on)
    event = said.AuthorityReviewBegun(review_id=review_id, pack=pack, document=document.document, cycle=1, **times)
    return [Said(event, now, policy_version=version)]


def call_for(
    state: AuthorityReview | None, document: Document, ladder: Ladder, policies: Policies, on: date, now: datetime
) -> list[Said]:
    """Who hears of it by now: whoever drafts the document, and once it is overdue the levels above, each once.

    Raises LimitUnset.
    """
    if state is None:
        return []
    (every, version), last = policies.span(ESCALATE_KEY, on), policies.value(LAST, on).value
    return [
        Said(_called_for(state, *one), now, policy_version=version)
        for one in _calls(state, document.drafter, last, every, ladder, now)
    ]


def draft(
    state: AuthorityReview | None, text: str, who: Acting, policies: Policies, on: date, now: datetime
) -> list[Said]:
    """Say what the document should say: the supervisor drafts, specialists assist (S3-01).

    Raises ReviewUnknown, NotYoursToDraft, DraftsFull, LimitUnset.
    """
    known = existing(state)
    if len(known.drafts) >= MOST_DRAFTS:
        raise DraftsFull(f"there are {MOST_DRAFTS} drafts for {known.document}; have the review decided first")
    drafters = policies.value(DRAFTERS, on)
    role = next((one for one in drafters.value if one in who.roles), None)
    if role is None:
        raise NotYoursToDraft(f"{', '.join(drafters.value)} draft rules ({DRAFTERS}); tell one of them")
    event = said.RuleDrafted(**_about(known), by=who.person, role=role, at=now)
    return [Said(event, now, {"text": text}, policy_version=drafters.version)]


def decide(
    state: AuthorityReview | None,
    cycle: int,
    outcome: Literal["kept", "changed"],
    reason: str,
    document: Document,
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Record what was decided on the review of this cycle; the next one is due a period later.

    Raises ReviewUnknown, ReviewDecidedAlready, NotYoursToReview, LimitUnset.
    """
    known = existing(state)
    if cycle != known.cycle:
        raise ReviewDecidedAlready(
            f"review {cycle} of {known.document} is decided; look at {known.cycle}, the one in hand"
        )
    if document.approver not in who.roles:
        raise NotYoursToReview(f"{known.document} is approved by the role {document.approver}; ask a holder of it")
    every, _ = policies.span(EVERY, on)
    times, _ = _times(policies, on, months_later(on, every.months))
    version = in_force(known, policies, on)
    if version is None:
        raise ReviewUnknown(f"{known.document} is not in force; there is nothing to decide on")
    event = said.AuthorityReviewed(**_about(known), outcome=outcome, version=version, by=who.person, at=now, **times)
    return [Said(event, now, {"reason": reason}, policy_version=version)]


def in_force(state: AuthorityReview, policies: Policies, on: date) -> str | None:
    """The version of the document on a day, as events carry it; None where it is not in force, or no document now."""
    of = state.pack, state.document
    return next((one.stamp for one in policies.in_force(on) if (one.pack, one.document) == of), None)


def existing(state: AuthorityReview | None) -> AuthorityReview:
    """The review there is. Raises ReviewUnknown."""
    if state is None:
        raise ReviewUnknown("there is no such review; GET /v1/authority-reviews lists them")
    return state


def _calls(
    state: AuthorityReview, drafter: str, last: str, every: Span, ladder: Ladder, now: datetime
) -> Iterator[Call]:
    alarm = state.next_at
    if not state.told_to:
        if alarm is None or now < alarm:
            return
        alarm = state.due_at
        yield Call(Rung(drafter, ladder.chart.holding(drafter)), 0, alarm)

    def at(level: int) -> datetime:
        return ladder.level_at(state.due_at, every, level)

    yield from calls(ladder.chart.rungs(drafter, last), state.told_to[1:], alarm, now, at)


def _called_for(
    state: AuthorityReview, rung: Rung, level: int, next_at: datetime | None
) -> said.AuthorityReviewCalledFor:
    heard = {"level": level, "to": rung.role, "people": list(rung.people), "next_at": next_at}
    return said.AuthorityReviewCalledFor(**_about(state), due_at=state.due_at, **heard)


def _times(policies: Policies, on: date, due: date) -> tuple[dict[str, datetime], str]:
    """When the review is asked for and due, at the end of these days, so a day off does not put it off."""
    before, version = policies.span(ASK, on)
    calendar = policies.calendar(on)
    return {"ask_at": calendar.end_of(months_later(due, -before.months)), "due_at": calendar.end_of(due)}, version


def _about(state: AuthorityReview) -> dict[str, Any]:
    return state.model_dump(include={"review_id", "pack", "document", "cycle"})
