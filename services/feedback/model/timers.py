"""How each event of a case starts, stops and settles its timers. The targets stand in the events; no policy here."""

from collections.abc import Mapping

from shared.contracts import feedback as said
from shared.contracts.feedback import Target
from shared.policy.timers import Timer

Timers = tuple[Timer, ...]


def begun(targets: Mapping[str, Target], cycle: int) -> Timers:
    """The timers of a cycle that begins with these targets."""
    return tuple(Timer(kind=kind, cycle=cycle, target=one) for kind, one in sorted(targets.items()))


def timers_after(timers: Timers, step: said.CaseStep) -> Timers:
    """A step that was waited for settles its timer; waiting for the customer stops all, a resolution ends all."""
    match step:
        case said.CaseAcknowledged():
            return _without(timers, "acknowledge")
        case said.CaseResponded():
            return _without(timers, "acknowledge", "respond") if step.human else timers
        case said.CasePaused():
            return tuple(one.model_copy(update={"stopped_at": step.at}) for one in timers)
        case said.CaseResumed():
            return tuple(_resumed(one, step.targets) for one in timers)
        case said.CaseResolved() | said.CaseClosed():
            return ()
        case said.CaseReopened():
            return begun(step.targets, step.cycle)
        case _:
            return timers


def told(timers: Timers, event: said.SlaWarned) -> Timers:
    """Count what was told, so that it is told once."""
    stage = event.level + 1 if isinstance(event, said.SlaBreached) else 0
    mine = (event.kind, event.cycle)
    return tuple(
        one.model_copy(update={"told": max(one.told, stage + 1)}) if (one.kind, one.cycle) == mine else one
        for one in timers
    )


def _without(timers: Timers, *kinds: str) -> Timers:
    return tuple(one for one in timers if one.kind not in kinds)


def _resumed(timer: Timer, targets: Mapping[str, Target]) -> Timer:
    return timer.model_copy(update={"stopped_at": None, "target": targets.get(timer.kind, timer.target)})
