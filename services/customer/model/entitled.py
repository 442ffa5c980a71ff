"""What a file holds of entitlements, and how events change them; the rules stand in entitlements.py."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from shared.contracts import entitlements as said
from shared.contracts.entitlements import EntitlementKind
from shared.contracts.state import Part

if TYPE_CHECKING:
    from services.customer.model.customer import Customer


class Entitlement(Part):
    """`percent` off, once, before `expires_at`; `reason` and the order it was used for in the words of others."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"reason", "used_for"})
    kind: EntitlementKind
    percent: int
    granted_at: datetime
    expires_at: datetime
    granted_by: str | None = None
    purchase_id: str | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    reason: str | None = None
    used_for: str | None = None
    origin: str | None = None
    """The merged file that it belongs to by itself."""

    def status(self, now: datetime) -> Literal["active", "used", "revoked", "expired"]:
        """What it is worth at this instant."""
        if self.used_at is not None:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


def entitled(state: "Customer", event: said.EntitlementEvent, private: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the file that an event about an entitlement changes."""
    match event:
        case said.EntitlementReleased():
            kept = {name: one for name, one in state.entitlements.items() if name != event.entitlement_id}
            return {"entitlements": kept}
        case said.EntitlementGranted() | said.EntitlementAdopted():
            fields = event.model_dump(exclude={"customer_id", "dims", "entitlement_id"})
            one = Entitlement.model_validate({**fields, **private})
        case said.EntitlementUsed():
            one = state.entitlements[event.entitlement_id].model_copy(update={"used_at": event.at, **private})
        case said.EntitlementRevoked():
            one = state.entitlements[event.entitlement_id].model_copy(update={"revoked_at": event.at})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of an entitlement")
    return {"entitlements": {**state.entitlements, event.entitlement_id: one}}
