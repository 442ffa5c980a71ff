"""What the customer service says of two files that look alike: told apart by somebody, or open again (S2-15)."""

from typing import ClassVar

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Event, Moment


class LikenessEvent(CustomerEvent):
    """Base of the events about two files; said of the one whose id comes first, `pair_id` names both."""

    pair_id: Code
    other_id: Code
    at: Moment


class FilesToldApart(LikenessEvent):
    """Somebody decided that the two are not the same customer; the reason stays in the service."""

    TYPE: ClassVar[str] = "manyi.customer.files.toldapart.v1"
    by: Code


class FilesReconsidered(LikenessEvent):
    """That was taken back: the two may be the same customer."""

    TYPE: ClassVar[str] = "manyi.customer.files.reconsidered.v1"
    by: Code


SAYS: tuple[type[Event], ...] = (FilesToldApart, FilesReconsidered)
