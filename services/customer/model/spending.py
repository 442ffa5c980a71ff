"""State of one request for money, a gift, an expense or procurement, and how each event changes it (DOMAIN E2)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from pydantic import computed_field

from services.customer.model.parts import MOVE
from shared.contracts import spending as said
from shared.contracts.envelope import Event
from shared.contracts.spending import Kind
from shared.contracts.state import State
from shared.policy.approvals.approval import OPEN, Approval
from shared.policy.approvals.approval import evolve as moved

RETURNED = frozenset({"rejected", "withdrawn", "lapsed", "returned"})
"""Where nothing is spent, or not as it was asked for. A violation is: what was done in an emergency is done (S0-32)."""


class Spending(State):
    """`amount` in minor units, for all customers together; `note` says in words what for.

    `because` is what the last decision said.
    """

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"note", "because"})
    request_id: str
    kind: Kind
    customers: list[str] = []
    amount: int
    currency: str
    budget: str | None = None
    occasion: str | None = None
    visit_id: str | None = None
    approval: Approval
    handed_over: dict[str, datetime] = {}
    """Customer → when the gift was theirs."""
    spent: int | None = None
    dims: dict[str, str] = {}
    note: str | None = None
    because: str | None = None

    @property
    def status(self) -> str:
        """Where it stands: that of its approval, then handed over (to everybody), then settled."""
        if self.spent is not None:
            return "settled"
        handed = self.kind == "gift" and set(self.handed_over) == set(self.customers)
        return "handed_over" if handed else self.approval.status

    @property
    def claim(self) -> int:
        """What of its budget it takes."""
        if self.approval.status in RETURNED:
            return 0
        return self.amount if self.spent is None else self.spent

    @computed_field  # type: ignore[prop-decorator]
    @property
    def timer_at(self) -> datetime | None:
        """When its deadline has something to tell; stored, so that it is found then."""
        return self.approval.alarm_at if self.approval.status in OPEN else None


def key_of(customers: list[str], request_id: str) -> str:
    """The partition key: the customer's where it is about one alone, so that its note is forgotten with the person."""
    return customers[0] if len(customers) == 1 else request_id


def evolve(state: Spending | None, event: Event, private: Mapping[str, Any]) -> Spending:
    """Fold one event, public and private part, into the state."""
    if isinstance(event, said.SpendingRequested):
        return Spending(
            customers=event.customer_ids,
            approval=moved(None, MOVE.validate_python(private["move"])),
            note=private.get("note"),
            **event.model_dump(include={"request_id", "kind", "amount", "currency", "budget", "dims"}),
            **event.model_dump(include={"occasion", "visit_id"}),
        )
    if state is None:
        raise ValueError(f"{event.TYPE} cannot be the first event of a request")
    match event:
        case (
            said.SpendingStepApproved()
            | said.SpendingStepHandedOver()
            | said.SpendingReturned()
            | said.SpendingDecided()
            | said.SpendingEscalated()
            | said.SpendingRescheduled()
        ):
            approval = moved(state.approval, MOVE.validate_python(private["move"]))
            return state.model_copy(update={"approval": approval, "because": private.get("reason")})
        case said.SpendingResubmitted():
            again = event.model_dump(include={"amount", "currency", "budget"})
            approval = moved(state.approval, MOVE.validate_python(private["move"]))
            note = private.get("note", state.note)
            return state.model_copy(update={**again, "approval": approval, "note": note, "because": None})
        case said.GiftHandedOver():
            return state.model_copy(update={"handed_over": {**state.handed_over, event.customer_id: event.at}})
        case said.SpendingSettled():
            return state.model_copy(update={"spent": event.spent})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a request")
