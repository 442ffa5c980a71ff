"""Rules: a plan to look after a customer: made, adjusted, taken step by step, reviewed (S3-02, S3-05, S3-14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.customer.model.customer import Customer
from services.customer.model.files import unless_erased
from services.customer.model.planned import REVIEW, Plan, Step
from shared.contracts import care as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.feedback import Target
from shared.policy.timers import Stage, Timer

MOST_STEPS = 100
"""Of one plan; their deadlines are in the head of the file."""


class PlanUnknown(NotFound):
    SLUG = "maintenance-plan-unknown"


class StepUnknown(NotFound):
    SLUG = "maintenance-step-unknown"


class StepSettled(Refusal):
    SLUG = "maintenance-step-settled"


class PlannedForThePast(Invalid):
    SLUG = "maintenance-due-in-the-past"


class PlanTooLong(Invalid):
    SLUG = "maintenance-plan-too-long"


@dataclass(frozen=True)
class Wanted:
    """A step as somebody plans it: what is done, which needs it answers, and by when."""

    kind: str
    words: str
    needs: tuple[str, ...]
    target: Target


@dataclass(frozen=True)
class Draft:
    """A plan as somebody writes it; `drive_id` where it is one of many."""

    kind: str
    title: str
    steps: Sequence[Wanted]
    review: Target
    drive_id: str | None = None


def plan(state: Customer, plan_id: str, draft: Draft, now: datetime) -> list[Said]:
    """Make a plan; one that is there already stays as it is. Raises PlannedForThePast, PlanTooLong, CustomerErased."""
    unless_erased(state)
    if plan_id in state.plans:
        return []
    steps, words = _numbered(draft.steps, 0, now)
    event = said.MaintenancePlanned(
        **_common(state, plan_id),
        kind=draft.kind,
        drive_id=draft.drive_id,
        at=now,
        steps=steps,
        review=draft.review,
    )
    return [Said(event, now, {"title": draft.title, "words": words}, policy_version=draft.review.policy_version)]


def adjust(
    state: Customer, plan_id: str, add: Sequence[Wanted], drop: Sequence[str], why: str, now: datetime
) -> list[Said]:
    """Add steps and drop open ones, saying why.

    Raises PlanUnknown, StepUnknown, StepSettled, PlannedForThePast, PlanTooLong, CustomerErased.
    """
    unless_erased(state)
    before = _known(state, plan_id)
    for name in drop:
        _open(before, name)
    steps, words = _numbered(add, len(before.steps), now)
    event = said.MaintenanceAdjusted(**_common(state, plan_id), at=now, added=steps, dropped=sorted(set(drop)))
    version = add[0].target.policy_version if add else None
    return [Said(event, now, {"words": words, "note": why}, policy_version=version)]


def take(state: Customer, plan_id: str, step: str, note: str | None, now: datetime) -> list[Said]:
    """A step is taken. Raises PlanUnknown, StepUnknown, StepSettled."""
    one = _open(_known(state, plan_id), step)
    event = said.MaintenanceStepDone(**_common(state, plan_id), step=step, at=now, late=now >= one.due_at)
    return [Said(event, now, {} if note is None else {"note": note})]


def review(state: Customer, plan_id: str, score: int, note: str, following: Target, now: datetime) -> list[Said]:
    """Weigh the relation from 0 to 100, with a note; the next review is due by `following`. Raises PlanUnknown."""
    unless_erased(state)
    _known(state, plan_id)
    event = said.RelationReviewed(**_common(state, plan_id), at=now, score=score, review=following)
    return [Said(event, now, {"note": note}, policy_version=following.policy_version)]


def fell_due(state: Customer, name: str, timer: Timer, stage: Stage, role: str | None) -> Said:
    """What is said of a step or a review that is due soon, due, or overdue."""
    plan_id, _, step = name.partition(":")
    common = {**_common(state, plan_id), "due_at": timer.target.due_at, "at": stage.at}
    common["step"] = None if step == REVIEW else step
    version = timer.target.policy_version
    if stage.number == 0:
        return Said(said.MaintenanceWarned(**common), stage.at, policy_version=version)
    return Said(said.MaintenanceMissed(**common, level=stage.number - 1, role=role), stage.at, policy_version=version)


def _numbered(wanted: Sequence[Wanted], before: int, now: datetime) -> tuple[list[said.PlannedStep], dict[str, str]]:
    if before + len(wanted) > MOST_STEPS:
        raise PlanTooLong(f"a plan has at most {MOST_STEPS} steps; make another one for what follows")
    steps, words = [], {}
    for number, one in enumerate(wanted, start=before + 1):
        if one.target.due_at <= now:
            raise PlannedForThePast(f"step {number} would have been due before now; plan it for a day still to come")
        steps.append(said.PlannedStep(step=str(number), kind=one.kind, needs=list(one.needs), target=one.target))
        words[str(number)] = one.words
    return steps, words


def _common(state: Customer, plan_id: str) -> dict[str, Any]:
    return {"customer_id": state.customer_id, "plan_id": plan_id, "dims": state.dims_now("manyi", {}, None)}


def _known(state: Customer, plan_id: str) -> Plan:
    found = state.plans.get(plan_id)
    if found is None:
        raise PlanUnknown(f"customer {state.code} has no maintenance plan {plan_id}; list them first")
    return found


def _open(found: Plan, name: str) -> Step:
    step = found.step(name)
    if step is None:
        raise StepUnknown(f"the plan has no step {name}; it has {', '.join(one.step for one in found.steps)}")
    if step.status != "open":
        raise StepSettled(f"step {name} is {step.status} already; add another step instead")
    return step
