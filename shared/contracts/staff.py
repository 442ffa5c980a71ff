"""What the customer service says of our own people: who holds which post, and who stands in for whom.

People are opaque ids, the subject and the key of what is said of them; roles and units are the policy's.
"""

from typing import ClassVar, Literal

from shared.contracts.envelope import Code, Event, Moment


class StaffEvent(Event):
    SUBJECT: ClassVar[str] = "member of staff"
    staff_id: Code


class PostTaken(StaffEvent):
    """Somebody holds a role in a department or team from `since` on (S0-13, S0-16).

    At `warn_at` rotation is called for, by `due_at` the post has to rotate (S0-20); absent where no policy says so.
    """

    TYPE: ClassVar[str] = "manyi.staff.post.taken.v1"
    post_id: Code
    role: Code
    unit: Code
    since: Moment
    warn_at: Moment | None = None
    due_at: Moment | None = None


class PostLeft(StaffEvent):
    """Somebody holds a post no more."""

    TYPE: ClassVar[str] = "manyi.staff.post.left.v1"
    post_id: Code
    role: Code
    unit: Code
    at: Moment


class RotationCalledFor(StaffEvent):
    """Somebody has held a post for so long that it has to rotate, or should have (`overdue`); `people` hear of it."""

    TYPE: ClassVar[str] = "manyi.staff.rotation.calledfor.v1"
    post_id: Code
    role: Code
    unit: Code
    since: Moment
    due_at: Moment
    overdue: bool
    people: list[Code] = []


class SubstituteArranged(StaffEvent):
    """Somebody takes an absent one's role over for a time (代理); `staff_id` is the absent one."""

    TYPE: ClassVar[str] = "manyi.staff.substitute.arranged.v1"
    substitution_id: Code
    substitute: Code
    role: Code
    since: Moment
    until: Moment


class SubstituteDismissed(StaffEvent):
    """The arrangement ends before its time."""

    TYPE: ClassVar[str] = "manyi.staff.substitute.dismissed.v1"
    substitution_id: Code
    substitute: Code
    role: Code
    at: Moment


class PromotionEvent(StaffEvent):
    promotion_id: Code


class PromotionNominated(PromotionEvent):
    """Somebody is nominated for a post, which is held once all `steps` agree; why stays in the service (S0-19)."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.nominated.v1"
    role: Code
    unit: Code
    leaves: Code | None = None
    steps: list[Code]
    requester: Code
    due_at: Moment | None = None


class PromotionStepApproved(PromotionEvent):
    """One step of the promotion is agreed to."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.stepapproved.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class PromotionReturned(PromotionEvent):
    """One step asks whoever nominated for a correction; the reason stays in the service."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.returned.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class PromotionResubmitted(PromotionEvent):
    """Corrected, it is decided on anew from the first step; no approval of the rounds before counts."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.resubmitted.v1"
    role: Code
    unit: Code
    leaves: Code | None = None
    steps: list[Code]
    due_at: Moment | None = None


class PromotionEscalated(PromotionEvent):
    """Nobody decided in time: the holders of the role `to` hear of it, level by level (S0-02)."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.escalated.v1"
    step: int
    to: Code
    people: list[Code] = []
    level: int = 1


class PromotionRescheduled(PromotionEvent):
    """The business calendar was edited, and the deadline counted anew; it may be the same (Q1)."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.rescheduled.v1"
    due_before: Moment
    due_at: Moment
    calendar_version: Code


class PromotionDecided(PromotionEvent):
    """The nomination is agreed to or rejected, withdrawn or lapsed; a post that follows is told by its own event."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.decided.v1"
    outcome: Literal["approved", "rejected", "withdrawn", "lapsed"]


SAYS: tuple[type[Event], ...] = (
    PostTaken,
    PostLeft,
    RotationCalledFor,
    SubstituteArranged,
    SubstituteDismissed,
    PromotionNominated,
    PromotionStepApproved,
    PromotionReturned,
    PromotionResubmitted,
    PromotionEscalated,
    PromotionRescheduled,
    PromotionDecided,
)
