"""A fact's way through time: each event that changed it, with the fact before and after."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.plumbing.projection import Fact
from shared.plumbing.store import Change, Page
from shared.plumbing.undo import undone


@dataclass(frozen=True)
class Step:
    """One event's effect; `before` is None for the event that made the fact."""

    revision: int
    event: str
    type: str
    day: str
    before: Fact | None
    after: Fact


def steps(page: Page, changes: Sequence[Change], since: str = "") -> list[Step]:
    """What happened to a fact after the day `since`, the oldest first.

    `changes` are by ascending revision all that were recorded after that day.
    """
    if page.fact is None or page.born is None or page.first is None:
        return []
    found: list[Step] = []
    after = page.fact
    for change in reversed(changes):
        before = undone(after, change.undo)
        found.append(Step(change.revision, change.event, change.type, change.day, before, after))
        after = before
    if page.born > since:
        found.append(Step(page.first.revision, page.first.event, page.first.type, page.born, None, after))
    found.reverse()
    return found


def differences(before: Fact | None, after: Fact) -> list[dict[str, Any]]:
    """Every value that differs: where it stands (a list of keys), what it was, what it is; absent ones are left out."""
    return list(_differences([], before or {}, after))


def _differences(place: list[str], before: Fact, after: Fact) -> Iterator[dict[str, Any]]:
    for key in dict.fromkeys((*before, *after)):
        at = [*place, key]
        if key not in after:
            yield {"at": at, "before": before[key]}
        elif key not in before:
            yield {"at": at, "after": after[key]}
        elif isinstance(before[key], dict) and isinstance(after[key], dict):
            yield from _differences(at, before[key], after[key])
        elif before[key] != after[key]:
            yield {"at": at, "before": before[key], "after": after[key]}
