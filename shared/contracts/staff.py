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


class PromotionNominated(StaffEvent):
    """Somebody is nominated for a post, which is held once all `steps` agree; why stays in the service (S0-19)."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.nominated.v1"
    promotion_id: Code
    role: Code
    unit: Code
    leaves: Code | None = None
    steps: list[Code]
    requester: Code


class PromotionStepApproved(StaffEvent):
    """One step of the promotion is agreed to."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.stepapproved.v1"
    promotion_id: Code
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class PromotionEscalated(StaffEvent):
    """Nobody decided in time: the holders of the role `to` hear of it, level by level (S0-02)."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.escalated.v1"
    promotion_id: Code
    step: int
    to: Code
    people: list[Code] = []
    level: int = 1


class PromotionDecided(StaffEvent):
    """The nomination is agreed to or rejected, withdrawn or lapsed; a post that follows is told by its own event."""

    TYPE: ClassVar[str] = "manyi.staff.promotion.decided.v1"
    promotion_id: Code
    outcome: Literal["approved", "rejected", "withdrawn", "lapsed"]


SAYS: tuple[type[Event], ...] = (
    PostTaken,
    PostLeft,
    RotationCalledFor,
    SubstituteArranged,
    SubstituteDismissed,
    PromotionNominated,
    PromotionStepApproved,
    PromotionEscalated,
    PromotionDecided,
)
