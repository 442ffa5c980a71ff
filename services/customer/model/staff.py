"""Our own people: who holds which post since when, and who stands in for whom (S0-13, S0-16, S0-20).

A post is a role in a department or team of the packs (`organisation.units`). This is the one place that says who holds
which; tokens say what somebody may do, this says whom to tell and whose place may be taken.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, computed_field

from services.customer.model.parts import MOVE
from shared.contracts import staff as said
from shared.contracts.decision import NotFound
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.policy.approvals.approval import OPEN, Approval
from shared.policy.approvals.approval import evolve as moved


class StaffUnknown(NotFound):
    SLUG = "staff-unknown"


class HeldPost(BaseModel):
    """`told`: 0 nothing, 1 that it has to rotate, 2 that it should have."""

    model_config = ConfigDict(frozen=True)
    role: str
    unit: str
    since: datetime
    warn_at: datetime | None = None
    due_at: datetime | None = None
    told: int = 0

    @property
    def next_at(self) -> datetime | None:
        """When there is something to tell of it."""
        return (self.warn_at, self.due_at, None)[self.told]


class StandingIn(BaseModel):
    """Who takes a role over, from an instant until another."""

    model_config = ConfigDict(frozen=True)
    substitution_id: str
    substitute: str
    role: str
    since: datetime
    until: datetime


class Promotion(BaseModel):
    """A post somebody was nominated for; with the last yes it is held, and the post `leaves` is held no more."""

    model_config = ConfigDict(frozen=True)
    role: str
    unit: str
    leaves: str | None = None
    approval: Approval


class Words(BaseModel):
    """Why somebody was nominated; `because` is what the last decision said."""

    model_config = ConfigDict(frozen=True)
    reason: str | None = None
    because: str | None = None


class Staff(State):
    """One of our people, by an opaque id; `words` are those about each nomination."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"words"})
    staff_id: str
    posts: dict[str, HeldPost] = {}
    substitutions: list[StandingIn] = []
    promotions: dict[str, Promotion] = {}
    words: dict[str, Words] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def timer_at(self) -> datetime | None:
        """When there is something to tell next; stored, so that it is found then."""
        posts = (one.next_at for one in self.posts.values())
        asked = (one.approval.alarm_at for one in self.promotions.values() if one.approval.status in OPEN)
        return min((at for at in (*posts, *asked) if at is not None), default=None)


def evolve(state: Staff | None, event: Event, private: Mapping[str, Any]) -> Staff:
    """Fold one event into the state."""
    if isinstance(event, said.PostTaken):
        post = HeldPost.model_validate(event.model_dump(exclude={"staff_id", "post_id"}))
        one = Staff(staff_id=event.staff_id) if state is None else state
        return one.model_copy(update={"posts": {**one.posts, event.post_id: post}})
    known = existing(state)
    match event:
        case said.PostLeft():
            left = {name: one for name, one in known.posts.items() if name != event.post_id}
            return known.model_copy(update={"posts": left})
        case said.RotationCalledFor():
            post = known.posts[event.post_id].model_copy(update={"told": 2 if event.overdue else 1})
            return known.model_copy(update={"posts": {**known.posts, event.post_id: post}})
        case said.SubstituteArranged():
            arranged = StandingIn.model_validate(event.model_dump(exclude={"staff_id"}))
            return known.model_copy(update={"substitutions": [*known.substitutions, arranged]})
        case said.SubstituteDismissed():
            kept = [one for one in known.substitutions if one.substitution_id != event.substitution_id]
            return known.model_copy(update={"substitutions": kept})
        case said.PromotionEvent():
            return _promoted(known, event, private)
        case _:
            raise ValueError(f"{event.TYPE} is not an event of our people")


def _promoted(state: Staff, event: said.PromotionEvent, private: Mapping[str, Any]) -> Staff:
    name = event.promotion_id
    before, words = state.promotions.get(name), state.words.get(name, Words())
    approval = moved(before.approval if before else None, MOVE.validate_python(private["move"]))
    if isinstance(event, said.PromotionNominated | said.PromotionResubmitted):
        after = Promotion(approval=approval, **event.model_dump(include={"role", "unit", "leaves"}))
        words = Words(reason=private["reason"])
    elif before is None:
        raise ValueError(f"{state.staff_id} was not nominated as {name}")
    else:
        after = before.model_copy(update={"approval": approval})
        words = words.model_copy(update={"because": private.get("reason")})
    told = {"promotions": {**state.promotions, name: after}, "words": {**state.words, name: words}}
    return state.model_copy(update=told)


def existing(state: Staff | None) -> Staff:
    """Somebody who has, or had, a post. Raises StaffUnknown."""
    if state is None:
        raise StaffUnknown("this person never held a post; POST /v1/staff/{id}/posts enters one")
    return state
