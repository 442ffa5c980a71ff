"""Rules: cleaning tasks with somebody responsible and a due day, closed when the file is corrected (S2-20, S1-06)."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from services.customer.model.open_timers import CLEANING, begun, told, without
from shared.contracts import quality as said
from shared.contracts.decision import Said
from shared.contracts.feedback import Target
from shared.contracts.state import Part
from shared.policy.calendar.due import Due
from shared.policy.timers import Stage, Timer

if TYPE_CHECKING:
    from services.customer.model.customer import Customer


class Cleaning(Part):
    """A file to be put right: `why` is the arithmetic of the due day by language."""

    problems: list[str]
    asked_at: datetime
    due_at: datetime
    why: dict[str, str] = {}
    responsible: str | None = None
    role: str
    status: Literal["open", "corrected", "void"] = "open"
    late: bool = False
    closed_at: datetime | None = None


def cleaned(state: "Customer", event: said.QualityEvent, private: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the file that an event about its quality changes."""
    timers = state.timers
    match event:
        case said.FileVerified():
            return {"verified_at": event.at}
        case said.CleaningAsked():
            fields = {**event.model_dump(exclude={"target"}), "asked_at": event.at, "due_at": event.target.due_at}
            return {
                "cleanings": {**state.cleanings, event.cleaning_id: Cleaning.model_validate({**fields, **private})},
                "timers": {**timers, event.cleaning_id: begun(CLEANING, event.target)},
            }
        case said.CleaningWarned():
            return {"timers": told(timers, event.cleaning_id, 0)}
        case said.CleaningMissed():
            return {"timers": told(timers, event.cleaning_id, event.level + 1)}
        case said.CleaningClosed():
            outcome = {"status": event.outcome, "late": event.late, "closed_at": event.at}
            closed = state.cleanings[event.cleaning_id].model_copy(update=outcome)
            return {
                "cleanings": {**state.cleanings, event.cleaning_id: closed},
                "timers": without(timers, event.cleaning_id),
            }
        case _:
            raise ValueError(f"{event.TYPE} is not an event of the quality of a file")


def ask(
    state: "Customer", cleaning_id: str, problems: list[str], role: str, due: Due, target: Target, now: datetime
) -> list[Said]:
    """Have the file put right by `due`; nothing while it is right, or being cleaned."""
    if not problems or any(one.kind == CLEANING for one in state.timers.values()):
        return []
    event = said.CleaningAsked(
        customer_id=state.customer_id,
        cleaning_id=cleaning_id,
        problems=problems,
        responsible=state.owner_id,
        role=role,
        at=now,
        target=target,
        dims=state.dims_now("manyi", {}, None),
    )
    why = {"zh": due.explained("zh"), "en": due.explained("en")}
    return [Said(event, now, {"why": why}, policy_version=target.policy_version)]


def close(state: "Customer", problems: list[str], void: bool, now: datetime) -> list[Said]:
    """Close the open tasks (loaded as parts) of which no problem is left. Repeatable."""
    return [
        Said(
            said.CleaningClosed(
                **_common(state, cleaning_id, now),
                outcome="void" if void else "corrected",
                late=now >= one.due_at,
            ),
            now,
        )
        for cleaning_id, one in state.cleanings.items()
        if one.status == "open" and not set(one.problems) & set(problems)
    ]


def fell_due(state: "Customer", cleaning_id: str, timer: Timer, stage: Stage, role: str | None) -> Said:
    """What is said of a cleaning that is due soon, due, or overdue."""
    common = {**_common(state, cleaning_id, stage.at), "due_at": timer.target.due_at}
    version = timer.target.policy_version
    if stage.number == 0:
        return Said(said.CleaningWarned(**common), stage.at, policy_version=version)
    return Said(said.CleaningMissed(**common, level=stage.number - 1, role=role), stage.at, policy_version=version)


def _common(state: "Customer", cleaning_id: str, at: datetime) -> dict[str, Any]:
    return {
        "customer_id": state.customer_id,
        "cleaning_id": cleaning_id,
        "at": at,
        "dims": state.dims_now("manyi", {}, None),
    }
