"""What a file holds of the plans to look after its customer, and how events change them (S3-02, S3-14)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from services.customer.model.open_timers import MAINTENANCE, Timers, begun, told, without
from shared.contracts import care as said
from shared.contracts.state import Part

REVIEW = "review"


class Step(BaseModel):
    """One step: `kind` such as visit, the needs it answers, by when it is done, and what became of it."""

    model_config = ConfigDict(frozen=True)
    step: str
    kind: str
    needs: list[str] = []
    due_at: datetime
    status: Literal["open", "done", "dropped"] = "open"
    done_at: datetime | None = None
    late: bool = False


class Review(BaseModel):
    """How somebody weighed the relation, from 0 to 100."""

    model_config = ConfigDict(frozen=True)
    at: datetime
    score: int


class Plan(Part):
    """A plan: `words` says in text what the steps are, `notes` what was written at a change, a step or a review."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"title", "words", "notes"})
    kind: str
    drive_id: str | None = None
    made_at: datetime
    steps: tuple[Step, ...]
    reviews: tuple[Review, ...] = ()
    review_due_at: datetime
    title: str | None = None
    words: dict[str, str] = {}
    notes: list[str] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def next_at(self) -> datetime | None:
        """When the next open step is due; None once all steps are done or dropped."""
        return min((one.due_at for one in self.steps if one.status == "open"), default=None)

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((one for one in self.steps if one.step == name), None)


def timer_of(plan_id: str, step: str | None) -> str:
    """The id of the deadline of a step, or else of the review."""
    return f"{plan_id}:{step or REVIEW}"


def planned(
    plans: Mapping[str, Plan], timers: Timers, event: said.PlanEvent, private: Mapping[str, Any]
) -> dict[str, Any]:
    """The plans and deadlines of a file after an event about a plan."""
    name = event.plan_id
    if isinstance(event, said.MaintenanceWarned):
        return {"timers": told(timers, timer_of(name, event.step), 0)}
    if isinstance(event, said.MaintenanceMissed):
        return {"timers": told(timers, timer_of(name, event.step), event.level + 1)}
    match event:
        case said.MaintenancePlanned():
            plan = Plan(
                kind=event.kind,
                drive_id=event.drive_id,
                made_at=event.at,
                steps=_steps(event.steps),
                review_due_at=event.review.due_at,
                **private,
            )
            timers = {**timers, **_timers(name, event.steps), **_review(name, event)}
        case said.MaintenanceAdjusted():
            plan = _adjusted(plans[name], event, private)
            gone = without(timers, *(timer_of(name, one) for one in event.dropped))
            timers = {**gone, **_timers(name, event.added)}
        case said.MaintenanceStepDone():
            done = {"status": "done", "done_at": event.at, "late": event.late}
            plan = _noted(_stepped(plans[name], {event.step}, done), private)
            timers = without(timers, timer_of(name, event.step))
        case said.RelationReviewed():
            reviews = (*plans[name].reviews, Review(at=event.at, score=event.score))
            before = plans[name].model_copy(update={"reviews": reviews, "review_due_at": event.review.due_at})
            plan, timers = _noted(before, private), {**timers, **_review(name, event)}
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a plan")
    return {"plans": {**plans, name: plan}, "timers": timers}


def _adjusted(plan: Plan, event: said.MaintenanceAdjusted, private: Mapping[str, Any]) -> Plan:
    left = _stepped(plan, set(event.dropped), {"status": "dropped"})
    more = {"steps": (*left.steps, *_steps(event.added)), "words": {**plan.words, **private.get("words", {})}}
    return _noted(left.model_copy(update=more), private)


def _stepped(plan: Plan, names: set[str], fields: Mapping[str, Any]) -> Plan:
    steps = tuple(one.model_copy(update=fields) if one.step in names else one for one in plan.steps)
    return plan.model_copy(update={"steps": steps})


def _noted(plan: Plan, private: Mapping[str, Any]) -> Plan:
    return plan.model_copy(update={"notes": [*plan.notes, private["note"]]}) if "note" in private else plan


def _steps(steps: Iterable[said.PlannedStep]) -> tuple[Step, ...]:
    return tuple(Step(step=one.step, kind=one.kind, needs=one.needs, due_at=one.target.due_at) for one in steps)


def _timers(plan_id: str, steps: Iterable[said.PlannedStep]) -> Timers:
    return {timer_of(plan_id, one.step): begun(MAINTENANCE, one.target) for one in steps}


def _review(plan_id: str, event: said.MaintenancePlanned | said.RelationReviewed) -> Timers:
    return {timer_of(plan_id, None): begun(MAINTENANCE, event.review)}
