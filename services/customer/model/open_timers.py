"""The deadlines that a file carries in its head, as long as they are open."""

from collections.abc import Mapping

from shared.contracts.feedback import Target
from shared.policy.timers import Timer

COMMITMENT = "commitment"
MAINTENANCE = "maintenance"
CLEANING = "cleaning"
CLAIM = "privacy.request"
Timers = Mapping[str, Timer]
"""Id of what is due → its deadline."""


def begun(kind: str, target: Target) -> Timer:
    """A deadline of which nothing was told yet."""
    return Timer(kind=kind, cycle=1, target=target)


def told(timers: Timers, identifier: str, stage: int) -> Timers:
    """Count what was told of a deadline, so that it is told once."""
    timer = timers[identifier]
    return {**timers, identifier: timer.model_copy(update={"told": max(timer.told, stage + 1)})}


def without(timers: Timers, *identifiers: str) -> Timers:
    """The others."""
    return {name: one for name, one in timers.items() if name not in identifiers}
