"""The state of one approval, and how each move changes it: the state is the fold of the moves."""

from typing import Any, Literal

from pydantic import model_validator

from shared.contracts.envelope import Code, Moment
from shared.policy.approvals.chain import Route
from shared.policy.approvals.moves import (
    AuthorisedInEmergency,
    Completed,
    Escalated,
    Frozen,
    Lapsed,
    Move,
    Rejected,
    Request,
    Rescheduled,
    Resubmitted,
    Returned,
    Signature,
    StepApproved,
    StepHandedOver,
    Submitted,
    Withdrawn,
)

Status = Literal[
    "pending",
    "returned",
    "approved",
    "rejected",
    "withdrawn",
    "lapsed",
    "pending_ratification",
    "ratified",
    "violation",
]
OPEN: frozenset[str] = frozenset({"pending", "pending_ratification"})
"""States in which a step is waiting for somebody."""
UNNAMED = ""
"""Stands for a role that heard of a deadline before it was kept which role that was."""


class Approval(Frozen):
    """`step` counts from 0 and is the one waiting; `cycle` from 1, one more with each correction.

    `alarm_at` is when the deadline, or the next level of those who hear that it passed, has something to tell;
    `told_to` are the roles of the levels that have heard.
    """

    request: Request
    route: Route
    status: Status
    submitted_at: Moment
    cycle: int = 1
    step: int = 0
    due_at: Moment | None = None
    calendar_version: str | None = None
    signatures: tuple[Signature, ...] = ()
    handed_over: tuple[StepHandedOver, ...] = ()
    authorised_by: Code | None = None
    told_to: tuple[str, ...] = ()
    alarm_at: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_levels_counted(cls, stored: Any) -> Any:
        """What was stored when levels were counted, or when one role alone was told, knows how many have heard."""
        if not isinstance(stored, dict):
            return stored
        kept = dict(stored)
        if "escalated" in kept:
            told = kept.pop("escalated")
            kept |= {"levels_told": int(told), "alarm_at": None if told else kept.get("due_at")}
        if "levels_told" in kept:
            kept["told_to"] = (UNNAMED,) * kept.pop("levels_told")
        return kept

    @property
    def waiting_for(self) -> str | None:
        """The role that decides the waiting step; None while none waits."""
        return self.route.steps[self.step] if self.status in OPEN else None

    @property
    def escalated(self) -> bool:
        """Whether anybody has heard that the deadline passed."""
        return bool(self.told_to)

    @property
    def used(self) -> frozenset[str]:
        """Everybody who has agreed in this cycle already, the one who acted in an emergency included."""
        agreed = frozenset(person for signature in self.signatures for person in signature.people)
        return agreed | ({self.authorised_by} if self.authorised_by else frozenset())


def evolve(state: Approval | None, move: Move) -> Approval:
    """Fold one move into the state. Raises ValueError for a first move that begins nothing."""
    if isinstance(move, Submitted | AuthorisedInEmergency):
        return _begun(move)
    if state is None:
        raise ValueError(f"{move.move} cannot be the first move of an approval")
    match move:
        case StepApproved():
            return state.model_copy(
                update={"step": state.step + 1, "signatures": (*state.signatures, move.signature), "handed_over": ()}
            )
        case StepHandedOver():
            return state.model_copy(update={"handed_over": (*state.handed_over, move)})
        case Completed() | Rejected() | Lapsed():
            return state.model_copy(update={"status": move.outcome})
        case Returned():
            return state.model_copy(update={"status": "returned"})
        case Withdrawn():
            return state.model_copy(update={"status": "withdrawn"})
        case Escalated():
            return state.model_copy(update={"told_to": (*state.told_to, move.to), "alarm_at": move.next_at})
        case Rescheduled():
            at = {"due_at": move.due_at, "alarm_at": move.due_at, "calendar_version": move.calendar_version}
            return state.model_copy(update=at)
        case Resubmitted():
            again = _begun(Submitted(**move.model_dump(exclude={"move"})))
            return again.model_copy(update={"cycle": state.cycle + 1})


def _begun(move: Submitted | AuthorisedInEmergency) -> Approval:
    emergency = isinstance(move, AuthorisedInEmergency)
    return Approval(
        request=move.request,
        route=move.route,
        status="pending_ratification" if emergency else "pending",
        submitted_at=move.at,
        due_at=move.due_at,
        alarm_at=move.due_at,
        calendar_version=move.calendar_version,
        authorised_by=move.by if isinstance(move, AuthorisedInEmergency) else None,
    )
