"""What the customer service says of the services we offer: launched, weighed, retired (S3-18)."""

from datetime import date
from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.envelope import Code, Event, Moment

Score = Annotated[int, Field(ge=0, le=100)]


class ServiceItemEvent(Event):
    """Base of the events about one service; its name stays in the service."""

    SUBJECT: ClassVar[str] = "service item"
    item_id: Code
    code: Code
    at: Moment


class ServiceItemLaunched(ServiceItemEvent):
    """A service is offered from now on, perhaps in place of another; it is weighed again by `review_on`."""

    TYPE: ClassVar[str] = "manyi.serviceitem.launched.v1"
    product_line: Code | None = None
    replaces: Code | None = None
    review_on: date


class ServiceItemWeighed(ServiceItemEvent):
    """Somebody looked at how good it is, 0 to 100, and keeps it until `review_on`."""

    TYPE: ClassVar[str] = "manyi.serviceitem.weighed.v1"
    score: Score
    review_on: date


class ServiceItemRetired(ServiceItemEvent):
    """It is offered no longer; `score` is the last one."""

    TYPE: ClassVar[str] = "manyi.serviceitem.retired.v1"
    reason: Code
    score: Score | None = None


SAYS: tuple[type[Event], ...] = (ServiceItemLaunched, ServiceItemWeighed, ServiceItemRetired)
