"""Rules: better terms for good credit (S3-16), a reward for who buys again (S3-21). Granted with a reason, used once.

How much, for whom and how long are settings of the packs; an unset one grants nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.customer.model.customer import Customer
from services.customer.model.files import About, at_hand
from shared.contracts import customer as orders
from shared.contracts import entitlements as said
from shared.contracts.decision import NotFound, Refusal, Said
from shared.contracts.entitlements import EntitlementKind
from shared.contracts.envelope import Event
from shared.policy.calendar.reckoning import months_later
from shared.policy.policies import Policies

SETTINGS: dict[EntitlementKind, tuple[str, str]] = {
    "credit_terms": ("credit.terms.discount", "credit.terms.valid"),
    "repurchase": ("repurchase.discount", "repurchase.valid"),
}
"""Kind → the settings of its discount and of how long it is valid."""


class NotEligible(Refusal):
    SLUG = "not-eligible"


class EntitledAlready(Refusal):
    SLUG = "entitled-already"


class EntitlementUnknown(NotFound):
    SLUG = "entitlement-unknown"


class EntitlementNotActive(Refusal):
    """Used, revoked or expired."""

    SLUG = "entitlement-not-active"


@dataclass(frozen=True)
class Terms:
    """What the packs grant on a day: percent off for so many months."""

    kind: EntitlementKind
    percent: int
    months: int
    version: str

    @classmethod
    def of(cls, policies: Policies, kind: EntitlementKind, on: date) -> "Terms":
        """As in force on a day. Raises LimitUnset."""
        discount, valid = SETTINGS[kind]
        percent = policies.value(discount, on)
        span, version = policies.span(valid, on)
        return cls(kind, percent.value, span.amount, ", ".join(dict.fromkeys((percent.version, version))))

    def expires_at(self, granted_at: datetime, zone: ZoneInfo) -> datetime:
        """The end of its last day, here."""
        last = months_later(granted_at.astimezone(zone).date(), self.months)
        return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


@dataclass(frozen=True)
class Eligible:
    """Who may have better terms: customers of these grades, with such a credit."""

    grades: tuple[str, ...]
    credit: tuple[str, ...]

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Eligible":
        """As in force on a day. Raises LimitUnset."""
        keys = ("credit.terms.grades", "credit.terms.levels")
        grades, credit = (tuple(policies.value(key, on).value) for key in keys)
        return cls(grades, credit)


def grant(
    state: Customer | None,
    customer_id: str,
    entitlement_id: str,
    terms: Terms,
    granted_by: str,
    reason: str,
    eligible: Eligible,
    now: datetime,
    zone: ZoneInfo,
) -> list[Said]:
    """Somebody grants it; better terms for credit go to whom the policy calls `eligible`, one at a time.

    Raises CustomerUnknown, CustomerErased, NotEligible, EntitledAlready.
    """
    customer = at_hand(customer_id, state)
    if terms.kind == "credit_terms":
        if customer.grade not in eligible.grades:
            raise NotEligible(
                f"better terms are for the grades {', '.join(eligible.grades)}; {customer.code} has {customer.grade}"
            )
        if customer.credit not in eligible.credit:
            raise NotEligible(
                f"better terms take a credit that is {' or '.join(eligible.credit)}, which {customer.code} does not "
                "have: ask for a change of it at …/key-changes"
            )
        held = (one for one in customer.entitlements.values() if one.kind == terms.kind)
        if any(one.status(now) == "active" for one in held):
            raise EntitledAlready(f"{customer.code} has better terms that are not used yet; revoke them first")
    event = said.EntitlementGranted(
        customer_id=customer.customer_id,
        entitlement_id=entitlement_id,
        kind=terms.kind,
        percent=terms.percent,
        expires_at=terms.expires_at(now, zone),
        granted_by=granted_by,
        dims=customer.dims_now("manyi", {}, None),
    )
    return [Said(event, now, {"reason": reason, "granted_at": now}, policy_version=terms.version)]


def rewarded(
    state: Customer | None, about: About, purchase_id: str, terms: Terms | None, now: datetime, zone: ZoneInfo
) -> list[Said]:
    """Who orders again on a later day has earned a discount on the next order; none that would be over already.

    Decided on the file as it was before this order. An order right after a cancelled one, or told late, earns none.
    """
    if state is None or terms is None or state.ordered_at is None:
        return []
    here = ZoneInfo(about.timezone) if about.timezone else zone
    if state.ordered_at.astimezone(here).date() >= about.time.astimezone(here).date():
        return []
    expires_at = terms.expires_at(about.time, zone)
    if expires_at <= now:
        return []
    event = said.EntitlementGranted(
        customer_id=state.customer_id,
        entitlement_id=purchase_id,
        kind=terms.kind,
        percent=terms.percent,
        expires_at=expires_at,
        purchase_id=purchase_id,
        dims=state.dims_now(about.source, {}, None),
    )
    return [Said(event, about.time, {"granted_at": about.time}, about.timezone, terms.version)]


def use(state: Customer | None, entitlement_id: str, used_for: str | None, now: datetime) -> list[Said]:
    """The customer has it, once. Raises EntitlementUnknown, EntitlementNotActive."""
    customer = _active(state, entitlement_id, now)
    event = said.EntitlementUsed(
        customer_id=customer.customer_id,
        entitlement_id=entitlement_id,
        at=now,
        dims=customer.dims_now("manyi", {}, None),
    )
    return [Said(event, now, {} if used_for is None else {"used_for": used_for})]


def revoke(state: Customer | None, entitlement_id: str, reason: str, now: datetime) -> list[Said]:
    """Somebody takes it back. Raises EntitlementUnknown, EntitlementNotActive."""
    customer = _active(state, entitlement_id, now)
    return [Said(_revoked(customer, entitlement_id, now, "decided"), now, {"reason": reason})]


def forfeited(state: Customer | None, about: About, purchase_id: str, told: Sequence[Said]) -> list[Said]:
    """What an order earned is gone once nothing is left of it, unless it was used; `told` is said of the order."""
    earned = None if state is None else state.entitlements.get(purchase_id)
    if state is None or earned is None or earned.used_at is not None or earned.revoked_at is not None:
        return []
    if not any(_voids(one.event) for one in told):
        return []
    return [Said(_revoked(state, purchase_id, about.time, "order_void"), about.time, timezone=about.timezone)]


def _voids(event: Event) -> bool:
    return isinstance(event, orders.PurchaseCancelled) or (isinstance(event, orders.PurchaseRefunded) and event.full)


def _active(state: Customer | None, entitlement_id: str, now: datetime) -> Customer:
    found = None if state is None else state.entitlements.get(entitlement_id)
    if state is None or found is None:
        raise EntitlementUnknown(f"there is no entitlement {entitlement_id}; list those of the customer first")
    status = found.status(now)
    if status != "active":
        raise EntitlementNotActive(
            f"this entitlement is {status}; it is used once, before {found.expires_at:%Y-%m-%d %H:%M} UTC: "
            "list those of the customer for another"
        )
    return state


def _revoked(customer: Customer, entitlement_id: str, now: datetime, cause: str) -> said.EntitlementRevoked:
    return said.EntitlementRevoked.model_validate(
        {
            "customer_id": customer.customer_id,
            "entitlement_id": entitlement_id,
            "at": now,
            "cause": cause,
            "dims": customer.dims_now("manyi", {}, None),
        }
    )
