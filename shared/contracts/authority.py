"""What the customer service says of the yearly review of the limits of authority (S0-43, S3-01).

A document of the policies is a subject of its own; why something was decided stays in the service.
"""

from typing import ClassVar, Literal

from shared.contracts.envelope import Code, Event, Moment


class AuthorityReviewEvent(Event):
    SUBJECT: ClassVar[str] = "authority review"
    review_id: Code
    pack: Code
    document: Code
    cycle: int


class AuthorityReviewBegun(AuthorityReviewEvent):
    """The document is to be reviewed by `due_at`; at `ask_at` its drafter is asked for it."""

    TYPE: ClassVar[str] = "manyi.authorityreview.begun.v1"
    ask_at: Moment
    due_at: Moment


class AuthorityReviewCalledFor(AuthorityReviewEvent):
    """The holders of the role `to` hear of it: level 0 is asked, from level 1 on it is overdue.

    At `next_at` the next level hears of it.
    """

    TYPE: ClassVar[str] = "manyi.authorityreview.calledfor.v1"
    due_at: Moment
    level: int
    to: Code
    people: list[Code] = []
    next_at: Moment | None = None


class RuleDrafted(AuthorityReviewEvent):
    """Somebody drafted what the document should say, or assisted; the words stay in the service (S3-01)."""

    TYPE: ClassVar[str] = "manyi.authorityreview.ruledrafted.v1"
    by: Code
    role: Code
    at: Moment


class AuthorityReviewed(AuthorityReviewEvent):
    """Somebody decided: the limits stay, or are changed. `version` was in force then; the next review is due."""

    TYPE: ClassVar[str] = "manyi.authorityreview.decided.v1"
    outcome: Literal["kept", "changed"]
    version: Code
    by: Code
    at: Moment
    ask_at: Moment
    due_at: Moment


SAYS: tuple[type[Event], ...] = (AuthorityReviewBegun, AuthorityReviewCalledFor, RuleDrafted, AuthorityReviewed)
