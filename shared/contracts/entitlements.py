"""What the customer service says of terms that a customer is entitled to; sales systems listen (S3-16, S3-21)."""

from typing import ClassVar, Literal

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Event, Moment

EntitlementKind = Literal["credit_terms", "repurchase"]


class EntitlementEvent(CustomerEvent):
    entitlement_id: Code


class EntitlementGranted(EntitlementEvent):
    """So many percent off, once, before `expires_at`: for good credit, or for the repurchase `purchase_id`."""

    TYPE: ClassVar[str] = "manyi.customer.entitlement.granted.v1"
    kind: EntitlementKind
    percent: int
    expires_at: Moment
    granted_by: Code | None = None
    purchase_id: Code | None = None


class EntitlementUsed(EntitlementEvent):
    """The customer had what was granted; it is used up."""

    TYPE: ClassVar[str] = "manyi.customer.entitlement.used.v1"
    at: Moment


class EntitlementRevoked(EntitlementEvent):
    """It counts no longer: somebody decided so, or nothing is left of the order that earned it."""

    TYPE: ClassVar[str] = "manyi.customer.entitlement.revoked.v1"
    at: Moment
    cause: Literal["decided", "order_void"]


class EntitlementAdopted(EntitlementEvent):
    """It belongs to this customer now, as it stands, since the file it was granted in is merged or taken out again."""

    TYPE: ClassVar[str] = "manyi.customer.entitlement.adopted.v1"
    merge_id: Code
    from_id: Code
    kind: EntitlementKind
    percent: int
    granted_at: Moment
    expires_at: Moment
    granted_by: Code | None = None
    purchase_id: Code | None = None
    used_at: Moment | None = None
    revoked_at: Moment | None = None


class EntitlementReleased(EntitlementEvent):
    """It belongs to this customer no longer."""

    TYPE: ClassVar[str] = "manyi.customer.entitlement.released.v1"
    merge_id: Code
    to_id: Code


SAYS: tuple[type[Event], ...] = (
    EntitlementGranted,
    EntitlementUsed,
    EntitlementRevoked,
    EntitlementAdopted,
    EntitlementReleased,
)
