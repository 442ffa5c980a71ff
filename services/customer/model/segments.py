"""Rules: segments are saved rules that choose customers (S2-06); who is in one is asked anew each time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from services.customer.model.choosing_rule import RULE, AllOf, AnyOf, Not, Trait
from shared.contracts import care as said
from shared.contracts.decision import NotFound, Said
from shared.contracts.envelope import Event
from shared.contracts.state import State


class SegmentUnknown(NotFound):
    SLUG = "segment-unknown"


class Segment(State):
    """A saved rule; `rule` as it is written down, and `edition` counts how often it was."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"name"})
    segment_id: str
    edition: int
    dropped: bool = False
    name: str | None = None
    rule: dict[str, Any] = {}


def evolve(state: Segment | None, event: Event, private: Mapping[str, Any]) -> Segment:
    """Fold one event, public and private part, into the state."""
    match event:
        case said.SegmentSaved():
            return Segment.model_validate({**event.model_dump(), **private})
        case said.SegmentDropped() if state is not None:
            return state.model_copy(update={"dropped": True})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a segment")


def save(
    state: Segment | None, segment_id: str, name: str, rule: AllOf | AnyOf | Not | Trait, now: datetime
) -> list[Said]:
    """Save a rule under a name, or another one in its place; the same again is no change."""
    written = RULE.dump_python(rule, mode="json", by_alias=True, exclude_none=True)
    if state is not None and not state.dropped and (state.name, state.rule) == (name, written):
        return []
    edition = 1 if state is None else state.edition + 1
    event = said.SegmentSaved(segment_id=segment_id, edition=edition)
    return [Said(event, now, {"name": name, "rule": written})]


def drop(state: Segment | None, segment_id: str, now: datetime) -> list[Said]:
    """Use it no longer. Raises SegmentUnknown."""
    kept(state, segment_id)
    return [Said(said.SegmentDropped(segment_id=segment_id), now)]


def kept(state: Segment | None, segment_id: str) -> Segment:
    """The segment, unless there is none. Raises SegmentUnknown."""
    if state is None or state.dropped:
        raise SegmentUnknown(f"there is no segment {segment_id}; list them first")
    return state
