"""Rules: services are launched, weighed every so often, and retired for a reason (S3-18 服务项目淘汰周期)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from shared.contracts import service_items as said
from shared.contracts.decision import NotFound, Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.policy.calendar.reckoning import months_later
from shared.policy.policies import Policies

EVERY = "service_item.review.every"


class ServiceItemKnown(Refusal):
    SLUG = "service-item-known"


class ServiceItemUnknown(NotFound):
    SLUG = "service-item-unknown"


class ServiceItemRetiredAlready(Refusal):
    SLUG = "service-item-retired"


class ServiceItem(State):
    """One service; `score` from 0 to 100 is None until it was weighed, `review_on` the day by which that is due."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"title"})
    item_id: str
    code: str
    product_line: str | None = None
    replaces: str | None = None
    status: Literal["offered", "retired"] = "offered"
    launched_at: datetime
    score: int | None = None
    weighed_at: datetime | None = None
    review_on: str | None = None
    """As YYYY-MM-DD; None once it is retired."""
    retired_at: datetime | None = None
    reason: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class Review:
    """When a service is weighed next, and the policy that says so."""

    on: date
    version: str

    @classmethod
    def of(cls, policies: Policies, today: date) -> "Review":
        """From today on. Raises LimitUnset."""
        every, version = policies.span(EVERY, today)
        return cls(months_later(today, every.amount), version)


def evolve(state: ServiceItem | None, event: Event, private: Mapping[str, Any]) -> ServiceItem:
    """Fold one event, public and private part, into the state."""
    match event:
        case said.ServiceItemLaunched():
            return ServiceItem.model_validate(
                {**event.model_dump(mode="json"), "launched_at": event.at, "title": private.get("title")}
            )
        case said.ServiceItemWeighed() if state is not None:
            weighed = {"score": event.score, "weighed_at": event.at, "review_on": event.review_on.isoformat()}
            return state.model_copy(update=weighed)
        case said.ServiceItemRetired() if state is not None:
            over = {"status": "retired", "retired_at": event.at, "reason": event.reason, "review_on": None}
            return state.model_copy(update=over)
        case _:
            raise ValueError(f"{event.TYPE} does not fit a service that is {'unknown' if state is None else 'offered'}")


def launch(
    state: ServiceItem | None, item_id: str, code: str, about: Mapping[str, str | None], review: Review, now: datetime
) -> list[Said]:
    """Offer a service; `about` has its title, product line and what it replaces. Raises ServiceItemKnown."""
    if state is not None:
        raise ServiceItemKnown(f"the service {code!r} was launched before and is {state.status}; choose another code")
    event = said.ServiceItemLaunched(
        item_id=item_id,
        code=code,
        at=now,
        product_line=about.get("product_line"),
        replaces=about.get("replaces"),
        review_on=review.on,
    )
    return [Said(event, now, {"title": about["title"]}, policy_version=review.version)]


def weigh(state: ServiceItem | None, item_id: str, score: int, review: Review, now: datetime) -> list[Said]:
    """Note how good it is and keep it. Raises ServiceItemUnknown, ServiceItemRetiredAlready."""
    one = _offered(state, item_id)
    event = said.ServiceItemWeighed(item_id=one.item_id, code=one.code, at=now, score=score, review_on=review.on)
    return [Said(event, now, policy_version=review.version)]


def retire(state: ServiceItem | None, item_id: str, reason: str, now: datetime) -> list[Said]:
    """Offer it no longer. Raises ServiceItemUnknown, ServiceItemRetiredAlready."""
    one = _offered(state, item_id)
    event = said.ServiceItemRetired(item_id=one.item_id, code=one.code, at=now, reason=reason, score=one.score)
    return [Said(event, now)]


def _offered(state: ServiceItem | None, item_id: str) -> ServiceItem:
    if state is None:
        raise ServiceItemUnknown(f"there is no service {item_id}; GET /v1/service-items lists them")
    if state.status == "retired":
        raise ServiceItemRetiredAlready(f"the service {state.code!r} is retired ({state.reason}); launch a new one")
    return state
