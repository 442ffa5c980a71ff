"""What a customer file holds many of: orders, contracts, people, conversations; and how events change them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, TypeAdapter

from services.customer.model.naming import normal_email, normal_name, normal_phone
from shared.contracts import customer as said
from shared.contracts import key_changes, merges
from shared.contracts.state import Part
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.approval import evolve as moved
from shared.policy.approvals.moves import Move

MOVE: TypeAdapter[Move] = TypeAdapter(Annotated[Move, Field(discriminator="move")])


class Purchase(Part):
    """One order; void once it is cancelled or fully refunded. Amounts in minor currency units."""

    amount: int
    currency: str
    product_line: str | None = None
    occurred_at: datetime
    timezone: str | None = None
    dims: dict[str, str] = {}
    origin: str | None = None
    """The merged file that it belongs to by itself."""
    refunded: int = 0
    cancelled: bool = False
    paid: bool = False

    @property
    def void(self) -> bool:
        """Nothing is left of it."""
        return self.cancelled or (self.refunded >= self.amount and self.refunded > 0)


class Contract(Part):
    """One contract; `ends_at` None is open-ended. `*_told_at` is when the statement in force was made."""

    monthly_amount: int
    signed_amount: int
    changes: list[merges.AmountChange] = []
    """As told, in that order."""
    currency: str
    product_line: str | None = None
    starts_at: datetime
    ends_at: datetime | None = None
    timezone: str | None = None
    dims: dict[str, str] = {}
    origin: str | None = None
    """The merged file that it belongs to by itself."""
    amount_told_at: datetime
    end_told_at: datetime
    ended: bool = False


class Contact(Part):
    """A person at the customer, who can be forgotten alone."""

    PERSON: ClassVar[bool] = True
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"name", "post", "phone", "email"})
    BLIND: ClassVar[Mapping[str, Callable[[str], str]]] = {
        "name": normal_name,
        "phone": normal_phone,
        "email": normal_email,
    }
    name: str | None = None
    post: str | None = None
    phone: str | None = None
    email: str | None = None
    lawful_basis: str | None = None
    """On which this person's data is kept (S2-14)."""
    product_lines: list[str] = []
    """Product lines this person has to do with (S4-14)."""


class Interaction(Part):
    """One conversation; `note` is what was said."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"note"})
    kind: str
    at: datetime
    channel: str | None = None
    staff_id: str | None = None
    needs: list[str] = []
    note: str | None = None


class KeyChange(Part):
    """Key fields that somebody asks to change; `values` are the new ones, `because` what the last decision said."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"values", "because"})
    fields: list[str]
    values: dict[str, Any] = {}
    because: str | None = None
    approval: Approval


class MergeRequest(Part):
    """Two files that somebody asks to make one of; this part is in the file that would survive.

    `because` is what the last decision said.
    """

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"reason", "because"})
    merged_id: str
    reason: str = ""
    because: str | None = None
    approval: Approval


def merge_request_after(
    before: MergeRequest | None, event: said.CustomerEvent, private: Mapping[str, Any]
) -> MergeRequest:
    """The request after an event about it."""
    approval = moved(before.approval if before else None, MOVE.validate_python(private["move"]))
    if isinstance(event, merges.MergeRequested):
        return MergeRequest(merged_id=event.merged_id, reason=private["reason"], approval=approval)
    if before is None:
        raise ValueError("the merge request is not loaded")
    if isinstance(event, merges.MergeResubmitted):
        return before.model_copy(update={"approval": approval, "reason": private["reason"], "because": None})
    return before.model_copy(update={"approval": approval, "because": private.get("reason")})


def key_change_after(before: KeyChange | None, event: said.CustomerEvent, private: Mapping[str, Any]) -> KeyChange:
    """The request after an event about it."""
    approval = moved(before.approval if before else None, MOVE.validate_python(private["move"]))
    if isinstance(event, key_changes.KeyChangeRequested | key_changes.KeyChangeResubmitted):
        return KeyChange(fields=event.fields, values=private["values"], approval=approval)
    if before is None:
        raise ValueError("the key change is not loaded")
    return before.model_copy(update={"approval": approval, "because": private.get("reason")})


def purchase_after(before: Purchase | None, event: said.CustomerEvent, private: Mapping[str, Any]) -> Purchase:
    """The order after an event about it."""
    if isinstance(event, said.PurchaseRecorded | merges.PurchaseAdopted):
        return Purchase.model_validate({**event.model_dump(), **private})
    if before is None:
        raise ValueError("the purchase is not loaded")
    match event:
        case said.PurchaseCancelled():
            return before.model_copy(update={"cancelled": True})
        case said.PurchaseRefunded():
            return before.model_copy(update={"refunded": event.refunded})
        case _:
            return before.model_copy(update={"paid": True})


def contract_after(before: Contract | None, event: said.CustomerEvent, private: Mapping[str, Any]) -> Contract:
    """The contract after an event about it."""
    if isinstance(event, said.ContractSigned):
        told = {"amount_told_at": event.starts_at, "end_told_at": event.starts_at}
        signed = {"signed_amount": event.monthly_amount}
        return Contract.model_validate({**event.model_dump(), **told, **signed, **private})
    if isinstance(event, merges.ContractAdopted):
        return Contract.model_validate({**event.model_dump(), "signed_amount": event.monthly_amount, **private})
    if before is None:
        raise ValueError("the contract is not loaded")
    match event:
        case said.ContractChanged():
            told_later = event.at >= before.amount_told_at
            in_force = {"monthly_amount": event.monthly_amount, "amount_told_at": event.at} if told_later else {}
            change = merges.AmountChange(at=event.at, monthly_amount=event.monthly_amount)
            return before.model_copy(update={"changes": [*before.changes, change], **in_force})
        case said.ContractRenewed():
            return before.model_copy(update={"ends_at": event.ends_at, "end_told_at": event.at, "ended": False})
        case said.ContractEnded():
            return before.model_copy(update={"ends_at": event.ended_at, "end_told_at": event.ended_at, "ended": True})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a contract")
