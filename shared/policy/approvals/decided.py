"""What the rules of approval answer, and what they all ask first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.policy.approvals.approval import Approval
from shared.policy.approvals.moves import Move
from shared.policy.approvals.refusals import ApprovalUnknown, ReasonMissing
from shared.policy.calendar.due import Due


@dataclass(frozen=True)
class Decided:
    """One move a rule decided on; `private` (the written reason) never leaves the host service.

    `due` explains the arithmetic of the deadline where the move sets one.
    """

    move: Move
    policy_version: str
    private: Mapping[str, Any] = field(default_factory=dict)
    due: Due | None = None

    @property
    def time(self) -> datetime:
        """When it was decided."""
        return self.move.at


def existing(state: Approval | None) -> Approval:
    """The approval there is. Raises ApprovalUnknown."""
    if state is None:
        raise ApprovalUnknown("no such approval; submit the request first")
    return state


def written(reason: str) -> str:
    """A reason that says something. Raises ReasonMissing."""
    if not reason.strip():
        raise ReasonMissing("say why; the reason is kept with the decision")
    return reason


def decided(state: Approval, moves: list[Move], reason: str | None) -> list[Decided]:
    """The moves under the policy version of the route, the written reason beside the first."""
    private = {"reason": reason} if reason else {}
    first, *rest = moves
    version = state.route.policy_version
    return [Decided(first, version, private), *(Decided(move, version) for move in rest)]
