"""The desk: how a statement about a customer, foreign or our own, becomes a task on one file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.customer.model.cadence import Cadence
from services.customer.model.customer import Customer
from services.customer.model.file_after import evolve
from services.customer.model.files import About, CustomerUnknown
from services.customer.model.filing import Filing
from services.customer.model.key_changes import KeyFields
from services.customer.model.likeness import marks_of
from services.customer.model.quality import Yardstick
from services.customer.model.risk import Weights
from shared.contracts.decision import Said, Scene
from shared.contracts.intake import Customer as CustomerRef
from shared.contracts.intake import ExternalId
from shared.plumbing.clock import Clock
from shared.plumbing.identity import Identity
from shared.plumbing.intake import Heard
from shared.plumbing.journal import Aggregate, Task
from shared.policy.calendar.business import Calendar
from shared.policy.policies import LimitUnset, Policies

STORED = Aggregate(
    "customers",
    Customer,
    evolve,
    lambda state: state.customer_id,
    marks_of,
    lambda state: state.owner_id,
    moved="merged_into",
)
OWN_SOURCE = "manyi"
SEQUENCE = "customer-code"
Rule = Callable[[Customer | None, About], Sequence[Said]]
SeeingRule = Callable[[Customer | None, About, Scene], Sequence[Said]]


@dataclass(frozen=True)
class Desk:
    """Who customers are, and the policies under which their files are kept; days are those of `zone`."""

    identity: Identity
    policies: Policies
    zone: ZoneInfo
    clock: Clock

    def filing(self, now: datetime) -> Filing:
        """The policies about files at this instant. Raises LimitUnset."""
        return _filing(self.policies, self.day(now))

    def key_fields(self, now: datetime) -> KeyFields:
        """Which fields change by approval at this instant. Raises LimitUnset."""
        return _key_fields(self.policies, self.day(now))

    def measure(self, now: datetime) -> Yardstick:
        """The policies about the quality of files at this instant. Raises LimitUnset."""
        return _measure(self.policies, self.zone, self.day(now))

    def cadence(self, now: datetime) -> Cadence:
        """How long a customer may go without a word, at this instant. Raises LimitUnset."""
        return _cadence(self.policies, self.day(now))

    def weights(self, now: datetime) -> Weights:
        """What each sign of leaving counts at this instant. Raises LimitUnset."""
        return _weights(self.policies, self.day(now))

    def calendar(self) -> Calendar | None:
        """The business calendar of today; None while it is not set."""
        try:
            return self.policies.calendar(self.today())
        except LimitUnset:
            return None

    def day(self, now: datetime) -> date:
        """The day of an instant, here."""
        return now.astimezone(self.zone).date()

    def today(self) -> date:
        """The day it is."""
        return self.day(self.clock.now())

    def about(self, heard: Heard, customer: CustomerRef) -> About:
        """Who an intake event speaks of: a bare id belongs to the event's own source."""
        owner = customer if isinstance(customer, ExternalId) else ExternalId(source=heard.source, id=customer)
        return About(
            customer_id=self.identity.customer(owner.source, owner.id),
            source=heard.source,
            external_id=owner.id,
            time=heard.time,
            timezone=heard.timezone,
            basis=_intake_basis(self.policies, self.today()),
        )

    def task(self, who: About, rule: Rule, **parts: str) -> Task[Customer]:
        """A task on one file that needs the named parts (field name = part id) beside the head."""
        return self.seeing_task(who, lambda state, who, _scene: rule(state, who), **parts)

    def seeing_task(self, who: About, rule: SeeingRule, *, beside: Sequence[str] = (), **parts: str) -> Task[Customer]:
        """A task whose rule looks at the heads of other files too; a missing one is None in the scene.

        The rule is given `who` with the code of the file, should it open one.
        """

        def decide(state: Customer | None, scene: Scene) -> Sequence[Said]:
            if state is not None and state.customer_id != who.customer_id:
                survivor = {"customer_id": state.customer_id, "origin": who.customer_id}
                return rule(state, who.model_copy(update=survivor), scene)
            if scene.number is None:
                return rule(state, who, scene)
            code = self.filing(scene.now).code(scene.number)
            return rule(state, who.model_copy(update={"code": code}), scene)

        wanted = {name: frozenset({identifier}) for name, identifier in parts.items()}
        others = tuple((STORED, identifier) for identifier in beside)
        return Task(STORED, who.customer_id, decide, wanted, others, SEQUENCE, person=who.customer_id)


def at_home(customer_id: str, now: datetime, state: Customer | None) -> About:
    """Who a colleague speaks of who has the file open. Raises CustomerUnknown."""
    if state is None:
        raise CustomerUnknown(f"there is no customer {customer_id}; open the file with POST /v1/customers")
    source = next(iter(state.known_as), OWN_SOURCE)
    return About(
        customer_id=state.customer_id,
        source=source,
        external_id=state.known_as.get(source, customer_id),
        time=now,
    )


@lru_cache(maxsize=8)
def _filing(policies: Policies, on: date) -> Filing:
    return Filing.of(policies, on)


@lru_cache(maxsize=8)
def _key_fields(policies: Policies, on: date) -> KeyFields:
    return KeyFields.of(policies, on)


@lru_cache(maxsize=8)
def _measure(policies: Policies, zone: ZoneInfo, on: date) -> Yardstick:
    return Yardstick.of(policies, _filing(policies, on), on, zone)


@lru_cache(maxsize=8)
def _cadence(policies: Policies, on: date) -> Cadence:
    return Cadence.of(policies, on)


@lru_cache(maxsize=8)
def _weights(policies: Policies, on: date) -> Weights:
    return Weights.of(policies, on)


@lru_cache(maxsize=8)
def _intake_basis(policies: Policies, on: date) -> str | None:
    """On what other systems hand over personal data, where they do not say; None while that is unset."""
    try:
        basis: str = policies.value("consent.intake_basis", on).value
    except LimitUnset:
        return None
    return basis
