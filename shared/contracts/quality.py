"""What the customer service says of how good its files are: verified, to be cleaned, cleaned (S1-06, S2-20, S3-25)."""

from typing import ClassVar, Literal

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Event, Moment
from shared.contracts.feedback import Target


class QualityEvent(CustomerEvent):
    """Base of the events about the quality of one file; problems are codes, such as `missing:industry`."""


class FileVerified(QualityEvent):
    """Somebody compared the file with the customer's own word and found it right, or put it right before."""

    TYPE: ClassVar[str] = "manyi.customer.file.verified.v1"
    at: Moment


class CleaningAsked(QualityEvent):
    """Somebody is to put the file right; `responsible` is a person, where the file has an owner, else `role` is."""

    TYPE: ClassVar[str] = "manyi.customer.cleaning.asked.v1"
    cleaning_id: Code
    problems: list[Code]
    responsible: Code | None = None
    role: Code
    at: Moment
    target: Target


class CleaningWarned(QualityEvent):
    """The cleaning is due soon."""

    TYPE: ClassVar[str] = "manyi.customer.cleaning.warned.v1"
    cleaning_id: Code
    due_at: Moment
    at: Moment


class CleaningMissed(QualityEvent):
    """The file was not put right when that was due: `level` 0; then the next `role` is told of it, level by level."""

    TYPE: ClassVar[str] = "manyi.customer.cleaning.missed.v1"
    cleaning_id: Code
    due_at: Moment
    at: Moment
    level: int
    role: Code | None = None


class CleaningClosed(QualityEvent):
    """None of the problems is left: the file was corrected, or it is void, being erased or merged into another."""

    TYPE: ClassVar[str] = "manyi.customer.cleaning.closed.v1"
    cleaning_id: Code
    outcome: Literal["corrected", "void"]
    late: bool
    at: Moment


SAYS: tuple[type[Event], ...] = (FileVerified, CleaningAsked, CleaningWarned, CleaningMissed, CleaningClosed)
