"""What all that is decided step by step has in common: an answer to the waiting step, and moves told as events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.contracts.decision import Said
from shared.contracts.envelope import Event
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.deciding import approve, reject, return_to_requester
from shared.policy.approvals.moves import (
    Completed,
    Escalated,
    Lapsed,
    Rejected,
    Rescheduled,
    Returned,
    StepApproved,
    Withdrawn,
)

Verdict = Literal["approve", "reject", "return"]
"""Yes; no; or ask whoever asked for a correction (退回)."""


@dataclass(frozen=True)
class Events:
    """By which events the moves of one kind of request are told."""

    step_approved: type[Event]
    returned: type[Event]
    decided: type[Event]
    escalated: type[Event]
    rescheduled: type[Event]


def answered(
    approval: Approval, who: Acting, verdict: Verdict, step: tuple[int, int], now: datetime, reason: str | None
) -> list[Decided]:
    """The verdict on the step (number, cycle) looked at. Raises what the approval rules raise."""
    match verdict:
        case "approve":
            return approve(approval, who, *step, now, reason)
        case "reject":
            return reject(approval, who, *step, now, reason or "")
        case "return":
            return return_to_requester(approval, who, *step, now, reason or "")


def completes(moves: Sequence[Decided]) -> bool:
    """Whether the last yes is among them."""
    return any(isinstance(one.move, Completed) for one in moves)


def told(events: Events, about: Mapping[str, Any], moves: Sequence[Decided]) -> list[Said]:
    """The moves as events; `about` is what all of them say."""
    return [recorded(_event(events, about, one), one) for one in moves]


def recorded(event: Event, one: Decided, more: Mapping[str, Any] | None = None) -> Said:
    """A move with its event; the move itself and `more` stay in this service."""
    private = {**one.private, **(more or {}), "move": one.move.model_dump(mode="json")}
    return Said(event, one.time, private, policy_version=one.policy_version)


def _event(events: Events, about: Mapping[str, Any], one: Decided) -> Event:
    move = one.move
    match move:
        case StepApproved():
            signed = {"step": move.step, "role": move.role, **move.signature.model_dump()}
            return events.step_approved.model_validate({**about, **signed})
        case Returned():
            signed = {"step": move.step, "role": move.role, **move.signature.model_dump()}
            return events.returned.model_validate({**about, **signed})
        case Completed() | Rejected() | Lapsed():
            return events.decided.model_validate({**about, "outcome": move.outcome})
        case Withdrawn():
            return events.decided.model_validate({**about, "outcome": "withdrawn"})
        case Escalated():
            heard = move.model_dump(include={"step", "to", "people", "level"})
            return events.escalated.model_validate({**about, **heard})
        case Rescheduled():
            moved = move.model_dump(include={"due_before", "due_at", "calendar_version"})
            return events.rescheduled.model_validate({**about, **moved})
        case _:
            raise ValueError(f"{move.move} is no move of such a request")
