"""What a file holds of the care for its customer, and how events change it; the rules stand beside, one file each."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from services.customer.model.open_timers import COMMITMENT, begun, told, without
from services.customer.model.planned import planned
from services.customer.model.spoken import spoken
from shared.contracts import care as said
from shared.contracts.state import Part

if TYPE_CHECKING:
    from services.customer.model.customer import Customer


class Commitment(Part):
    """A promise to the customer: `promise` is what was said, `why` the arithmetic of the due day by language."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"promise", "note"})
    made_at: datetime
    due_at: datetime
    why: dict[str, str] = {}
    responsible: str | None = None
    status: Literal["open", "kept", "broken"] = "open"
    settled_at: datetime | None = None
    late: bool = False
    reason: str | None = None
    promise: str | None = None
    note: str | None = None


class CareDay(Part):
    """A day of the year that is kept for the customer or one contact; `day` as YearlyDay names it.

    Which day it is may be a person's birthday: it is sealed, and found by its blind tag alone.
    """

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"day", "label"})
    BLIND: ClassVar[Mapping[str, Callable[[str], str]]] = {"day": str}
    contact_id: str | None = None
    occasion: str | None = None
    day: str | None = None
    label: str | None = None


class Greeting(Part):
    """That the customer was greeted or not: on a holiday of a year, else on the day `on` that is kept for them."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"care_id", "on", "note"})
    contact_id: str | None = None
    holiday: str | None = None
    year: int | None = None
    outcome: Literal["greeted", "skipped"]
    at: datetime
    care_id: str | None = None
    on: str | None = None
    note: str | None = None


class Invitation(Part):
    """One guest of a company event: the customer, or a contact of theirs."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"note"})
    event_id: str
    contact_id: str | None = None
    kind: str
    starts_at: datetime
    status: Literal["invited", "accepted", "declined", "attended", "absent"] = "invited"
    note: str | None = None


class Opportunity(Part):
    """Something that may be sold, `amount` in minor currency units."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"title", "note"})
    stage: str
    amount: int
    currency: str
    product_line: str | None = None
    expected_close: str
    opened_at: datetime
    status: Literal["open", "won", "lost"] = "open"
    closed_at: datetime | None = None
    reason: str | None = None
    title: str | None = None
    note: str | None = None


def looked_after(state: "Customer", event: said.CareEvent, private: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the file that an event about the care for its customer changes."""
    match event:
        case said.CommitmentMade():
            fields = {"made_at": event.at, "due_at": event.target.due_at, "responsible": event.responsible}
            made = Commitment.model_validate({**fields, **private})
            return {
                "commitments": {**state.commitments, event.commitment_id: made},
                "timers": {**state.timers, event.commitment_id: begun(COMMITMENT, event.target)},
            }
        case said.CommitmentWarned():
            return {"timers": told(state.timers, event.commitment_id, 0)}
        case said.CommitmentMissed():
            return {"timers": told(state.timers, event.commitment_id, event.level + 1)}
        case said.CommitmentKept() | said.CommitmentBroken():
            return {
                "commitments": {**state.commitments, event.commitment_id: _settled(state, event, private)},
                "timers": without(state.timers, event.commitment_id),
            }
        case said.CareDayNoted():
            kept = CareDay.model_validate({"contact_id": event.contact_id, **private})
            return {"care_days": {**state.care_days, event.care_id: kept}}
        case said.CareDayDropped():
            return {"care_days": {name: one for name, one in state.care_days.items() if name != event.care_id}}
        case said.CustomerGreeted():
            greeting = Greeting.model_validate({**event.model_dump(), **private})
            greetings = {"greetings": {**state.greetings, event.greeting_id: greeting}}
            return greetings | spoken(state, event.at) if event.outcome == "greeted" else greetings
        case said.CustomerInvited() | said.InvitationAnswered() | said.AttendanceRecorded():
            before = state.invitations.get(event.invitation_id)
            invitations = {**state.invitations, event.invitation_id: _invited(before, event, private)}
            return {"invitations": invitations}
        case said.OpportunityOpened() | said.OpportunityMoved() | said.OpportunityWon() | said.OpportunityLost():
            chance = _weighed(state.opportunities.get(event.opportunity_id), event, private)
            return {"opportunities": {**state.opportunities, event.opportunity_id: chance}}
        case said.PlanEvent():
            return planned(state.plans, state.timers, event, private)
        case _:
            raise ValueError(f"{event.TYPE} is not an event of the care for a customer")


def _settled(
    state: "Customer", event: said.CommitmentKept | said.CommitmentBroken, private: Mapping[str, Any]
) -> Commitment:
    if isinstance(event, said.CommitmentKept):
        outcome: dict[str, Any] = {"status": "kept", "late": event.late}
    else:
        outcome = {"status": "broken", "reason": event.reason}
    return state.commitments[event.commitment_id].model_copy(update={**outcome, "settled_at": event.at, **private})


def _invited(
    before: Invitation | None,
    event: said.CustomerInvited | said.InvitationAnswered | said.AttendanceRecorded,
    private: Mapping[str, Any],
) -> Invitation:
    if isinstance(event, said.CustomerInvited):
        return Invitation.model_validate(event.model_dump())
    if before is None:
        raise ValueError("the invitation is not loaded")
    if isinstance(event, said.InvitationAnswered):
        return before.model_copy(update={"status": event.answer})
    return before.model_copy(update={"status": "attended" if event.attended else "absent", **private})


def _weighed(
    before: Opportunity | None,
    event: said.OpportunityOpened | said.OpportunityMoved | said.OpportunityWon | said.OpportunityLost,
    private: Mapping[str, Any],
) -> Opportunity:
    if isinstance(event, said.OpportunityOpened):
        fields = event.model_dump(mode="json") | {"opened_at": event.at}
        return Opportunity.model_validate({**fields, **private})
    if before is None:
        raise ValueError("the opportunity is not loaded")
    match event:
        case said.OpportunityMoved():
            fields = {name: getattr(event, name) for name in ("stage", "amount")}
            return before.model_copy(update={**fields, "expected_close": event.expected_close.isoformat(), **private})
        case said.OpportunityWon() | said.OpportunityLost():
            status = "won" if isinstance(event, said.OpportunityWon) else "lost"
            closed = {
                "status": status,
                "stage": status,
                "closed_at": event.at,
                "reason": event.reason,
                "amount": event.amount,
            }
            return before.model_copy(update={**closed, **private})
