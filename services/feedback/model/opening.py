"""Rules: opening a case, whoever asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.feedback.model.case import KINDS, Case, Kind
from shared.contracts.decision import NotFound, Refusal, Said
from shared.contracts.feedback import Target

OPENINGS = {kind: event for event, kind in KINDS.items()}
TOLD = (
    "case_id",
    "customer_id",
    "channel",
    "category",
    "product",
    "severity",
    "priority",
    "desk",
    "source_response_id",
    "loop_id",
    "targets",
)
"""What the event says of a case as it comes in, field by field."""


class CaseAlreadyOpened(Refusal):
    SLUG = "case-already-opened"


class CaseUnknown(NotFound):
    SLUG = "case-unknown"


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A case as it comes in: who, about what, when, at which desk, and in which words."""

    case_id: str
    source: str
    external_id: str
    at: datetime
    kind: Kind = "complaint"
    desk: Literal["own", "outside"] = "own"
    timezone: str | None = None
    customer_id: str | None = None
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    severity: str | None = None
    priority: str | None = None
    text: str | None = None
    dims: Mapping[str, str] = field(default_factory=dict)
    source_response_id: str | None = None
    loop_id: str | None = None
    policy_version: str | None = None
    targets: Mapping[str, Target] = field(default_factory=dict)


def open_case(state: Case | None, opening: Opening) -> list[Said]:
    """Open it at the time it was received, with its dimensions as they are then (S2-07, S1-13)."""
    if state is not None:
        raise CaseAlreadyOpened("this case is open already; add to it with its steps")
    told = {name: getattr(opening, name) for name in TOLD}
    event = OPENINGS[opening.kind](opened_at=opening.at, dims=_dims(opening), **told)
    private: dict[str, object] = {"external_id": opening.external_id}
    if opening.timezone is not None:
        private["timezone"] = opening.timezone
    if opening.text is not None:
        private["words"] = {f"{opening.case_id}:opening": {"kind": opening.kind, "text": opening.text}}
    return [Said(event, opening.at, private, opening.timezone, opening.policy_version)]


def _dims(opening: Opening) -> dict[str, str]:
    named = {
        "product_line": opening.product,
        "channel": opening.channel,
        "category": opening.category,
        "priority": opening.priority,
        "source": opening.source,
    }
    return {**opening.dims, **{name: value for name, value in named.items() if value is not None}}
