"""Rules: by when a case is acknowledged, answered and resolved, and what is told as time passes (S1-09, S1-15, E6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.feedback.model.case import Case
from shared.contracts import feedback as said
from shared.contracts.decision import Said, Scene
from shared.contracts.feedback import Target
from shared.policy.calendar.business import CalendarYearUnknown
from shared.policy.declared import Span
from shared.policy.policies import LimitUnset, Policies
from shared.policy.timers import Stage, Timer, due_stages, moved, target

WITHIN = {
    "acknowledge": "case.acknowledge.within",
    "respond": "case.respond.within",
    "resolve": "case.resolve.within",
}
"""Kind of deadline → the table of the policies that sets it by urgency."""
URGENCIES = ("urgent", "high", "normal", "low")
ORDINARY = "normal"
Targets = Mapping[str, Target]


@dataclass(frozen=True)
class Deadlines:
    """What the policies say of deadlines. Days are those of `zone`.

    A kind that they leave unset has none, nor has one in a year nobody has declared: a case is taken in all the same.
    """

    policies: Policies
    zone: ZoneInfo

    def begun(self, start: datetime, priority: str | None, kinds: Sequence[str] = tuple(WITHIN)) -> dict[str, Target]:
        """Targets of what begins now, by the urgency that the priority names, the ordinary one else."""
        urgency = priority if priority in URGENCIES else ORDINARY
        found = {kind: self._target(WITHIN[kind], urgency, start) for kind in kinds}
        return {kind: one for kind, one in found.items() if one is not None}

    def resumed(self, case: Case, now: datetime) -> dict[str, Target]:
        """Targets of the timers that stood still, moved on by the business time that they did.

        Unmoved where nobody has declared a year they reach into: a case is not held up by its deadline.
        """
        still = [one for one in case.timers if one.stopped_at is not None]
        if not still:
            return {}
        calendar = self.policies.calendar(now.astimezone(self.zone).date())
        try:
            return {one.kind: moved(calendar, one, now) for one in still}
        except CalendarYearUnknown:
            return {}

    def tell(self, case: Case | None, scene: Scene) -> list[Said]:
        """Rule of the timekeeper: what has come of a case's deadlines."""
        return tell_time(case, scene.now, self.levels(scene.now))

    def levels(self, now: datetime) -> tuple[str, ...]:
        """The roles to be told, level by level, when something is overdue; none where the policies name none."""
        try:
            roles: tuple[str, ...] = self.policies.value("case.escalate.to", now.astimezone(self.zone).date()).value
        except LimitUnset:
            return ()
        return roles

    def _target(self, key: str, urgency: str, start: datetime) -> Target | None:
        on = start.astimezone(self.zone).date()
        try:
            within, version = self.policies.row(key, urgency, on)
            warn = self.policies.value("case.warn.left", on).value
            every, _ = self.policies.span("case.escalate.every", on)
            day_end = self.policies.day_end(on)
            calendar = self.policies.calendar(on)
        except LimitUnset:
            return None
        if not isinstance(within, Span):
            raise TypeError(f"{key} must be a table of time")
        levels = len(self.levels(start))
        steps = [Span(amount=every.amount * level, unit=every.unit) for level in range(1, levels + 1)]
        try:
            return target(calendar, start, within, warn_percent=warn, escalate=steps, day_end=day_end, version=version)
        except CalendarYearUnknown:
            return None


def tell_time(case: Case | None, now: datetime, levels: Sequence[str]) -> list[Said]:
    """Say what has come of a case's deadlines. What was told is not told again."""
    if case is None:
        return []
    return [_told(case, timer, stage, levels) for timer in case.timers for stage in due_stages(timer, now)]


def _told(case: Case, timer: Timer, stage: Stage, levels: Sequence[str]) -> Said:
    assigned = case.cycle(timer.cycle).assigned
    common = {
        "case_id": case.case_id,
        "timer_id": f"{case.case_id}:{timer.cycle}:{timer.kind}",
        "kind": timer.kind,
        "cycle": timer.cycle,
        "due_at": timer.target.due_at,
        "at": stage.at,
        "business_minutes": timer.target.business_minutes,
        "calendar_version": timer.target.calendar_version,
        "assignee": assigned.assignee if assigned is not None else None,
    }
    version = timer.target.policy_version
    if stage.number == 0:
        return Said(said.SlaWarned.model_validate(common), stage.at, policy_version=version)
    level = stage.number - 1
    role = levels[level - 1] if 0 < level <= len(levels) else None
    return Said(
        said.SlaBreached.model_validate({**common, "level": level, "role": role}), stage.at, policy_version=version
    )
