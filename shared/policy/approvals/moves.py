"""The moves an approval is made of. Generic over what is approved; the host service writes each as its own event.

Times are instants in UTC. Written reasons are not here: they are private and stay with the host.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import Code, Currency, Minor, Moment
from shared.policy.approvals.chain import Route


class Frozen(BaseModel):
    """Base of state and moves."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(Frozen):
    """What is asked for and by whom; `amount` in minor units where there is one."""

    approval_id: Code
    kind: Code
    requester: Code
    amount: Minor | None = None
    currency: Currency | None = None


class Signature(Frozen):
    """Who decided a step, and for whom where he stood in for somebody."""

    by: Code
    on_behalf_of: Code | None = None

    @property
    def people(self) -> frozenset[str]:
        """Everybody whose agreement this uses up."""
        return frozenset({self.by} | ({self.on_behalf_of} if self.on_behalf_of else set()))


class Submitted(Frozen):
    move: Literal["submitted"] = "submitted"
    at: Moment
    request: Request
    route: Route
    due_at: Moment | None = None
    calendar_version: str | None = None


class AuthorisedInEmergency(Frozen):
    """Somebody acts at once; the whole route follows as the record of it, until `due_at`."""

    move: Literal["authorised_in_emergency"] = "authorised_in_emergency"
    at: Moment
    request: Request
    route: Route
    by: Code
    role: Code
    due_at: Moment
    calendar_version: str


class StepApproved(Frozen):
    """`late` says that the deadline of the whole route had passed."""

    move: Literal["step_approved"] = "step_approved"
    at: Moment
    step: int
    role: Code
    signature: Signature
    late: bool = False


class StepHandedOver(Frozen):
    """The holder of a step lets somebody else decide it, until an instant."""

    move: Literal["step_handed_over"] = "step_handed_over"
    at: Moment
    step: int
    by: Code
    to: Code
    until: Moment


class Completed(Frozen):
    """Every step is approved."""

    move: Literal["completed"] = "completed"
    at: Moment
    outcome: Literal["approved", "ratified"]


class Rejected(Frozen):
    """One step says no; after an emergency that makes the act a violation."""

    move: Literal["rejected"] = "rejected"
    at: Moment
    step: int
    role: Code
    signature: Signature
    outcome: Literal["rejected", "violation"]


class Returned(Frozen):
    """One step asks the requester for a correction."""

    move: Literal["returned"] = "returned"
    at: Moment
    step: int
    role: Code
    signature: Signature


class Resubmitted(Frozen):
    """The corrected request begins a new cycle: no signature of the last one counts."""

    move: Literal["resubmitted"] = "resubmitted"
    at: Moment
    request: Request
    route: Route
    due_at: Moment | None = None
    calendar_version: str | None = None


class Withdrawn(Frozen):
    move: Literal["withdrawn"] = "withdrawn"
    at: Moment


class Escalated(Frozen):
    """The deadline passed; the holders of `to` hear of it, and the same people still have to decide.

    `level` counts from 1; at `next_at` the next level hears of it.
    """

    move: Literal["escalated"] = "escalated"
    at: Moment
    step: int
    to: Code
    people: tuple[Code, ...] = ()
    level: int = 1
    next_at: Moment | None = None


class Rescheduled(Frozen):
    """The business calendar was edited: the deadline is counted anew from where it began, and may be the same."""

    move: Literal["rescheduled"] = "rescheduled"
    at: Moment
    due_before: Moment
    due_at: Moment
    calendar_version: str


class Lapsed(Frozen):
    """The deadline passed without a decision; after an emergency that makes the act a violation."""

    move: Literal["lapsed"] = "lapsed"
    at: Moment
    step: int
    outcome: Literal["lapsed", "violation"]


Move = (
    Submitted
    | AuthorisedInEmergency
    | StepApproved
    | StepHandedOver
    | Completed
    | Rejected
    | Returned
    | Resubmitted
    | Withdrawn
    | Escalated
    | Rescheduled
    | Lapsed
)
