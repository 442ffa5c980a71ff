"""Rules: promises to a customer are kept in time, kept late, or broken with a reason (S3-23 信守承诺)."""

from datetime import datetime
from typing import Any

from services.customer.model.cared import Commitment
from services.customer.model.customer import Customer
from services.customer.model.files import unless_erased
from shared.contracts import care as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.feedback import Target
from shared.policy.calendar.due import Due
from shared.policy.timers import Stage, Timer


class CommitmentUnknown(NotFound):
    SLUG = "commitment-unknown"


class CommitmentSettled(Refusal):
    SLUG = "commitment-settled"


class PromisedForThePast(Invalid):
    SLUG = "commitment-due-in-the-past"


def promise(
    state: Customer,
    commitment_id: str,
    words: str,
    due: Due,
    target: Target,
    responsible: str | None,
    now: datetime,
) -> list[Said]:
    """Promise something by `due`. Raises PromisedForThePast, CustomerErased."""
    unless_erased(state)
    if due.at <= now:
        raise PromisedForThePast(f"{due.local} ({due.zone}) is over; promise something for a day that is still to come")
    event = said.CommitmentMade(
        customer_id=state.customer_id,
        commitment_id=commitment_id,
        at=now,
        responsible=responsible,
        target=target,
        dims=state.dims_now("manyi", {}, None),
    )
    why = {"zh": due.explained("zh"), "en": due.explained("en")}
    return [Said(event, now, {"promise": words, "why": why}, policy_version=target.policy_version)]


def keep(state: Customer, commitment_id: str, note: str | None, now: datetime) -> list[Said]:
    """The promise is fulfilled now. Raises CommitmentUnknown, CommitmentSettled."""
    one = _open(state, commitment_id)
    event = said.CommitmentKept(**_common(state, commitment_id, one.due_at, now), late=now >= one.due_at)
    return [Said(event, now, _noted(note))]


def give_up(state: Customer, commitment_id: str, reason: str, note: str | None, now: datetime) -> list[Said]:
    """The promise will not be kept; the reason is a code. Raises CommitmentUnknown, CommitmentSettled."""
    one = _open(state, commitment_id)
    event = said.CommitmentBroken(**_common(state, commitment_id, one.due_at, now), reason=reason)
    return [Said(event, now, _noted(note))]


def fell_due(state: Customer, commitment_id: str, timer: Timer, stage: Stage, role: str | None) -> Said:
    """What is said of a promise that is due soon, due, or overdue."""
    common = _common(state, commitment_id, timer.target.due_at, stage.at)
    version = timer.target.policy_version
    if stage.number == 0:
        return Said(said.CommitmentWarned(**common), stage.at, policy_version=version)
    return Said(said.CommitmentMissed(**common, level=stage.number - 1, role=role), stage.at, policy_version=version)


def _common(state: Customer, commitment_id: str, due_at: datetime, at: datetime) -> dict[str, Any]:
    return {
        "customer_id": state.customer_id,
        "commitment_id": commitment_id,
        "due_at": due_at,
        "at": at,
        "dims": state.dims_now("manyi", {}, None),
    }


def _noted(note: str | None) -> dict[str, Any]:
    return {} if note is None else {"note": note}


def _open(state: Customer, commitment_id: str) -> Commitment:
    one = state.commitments.get(commitment_id)
    if one is None:
        raise CommitmentUnknown(f"customer {state.code} has no commitment {commitment_id}; list them first")
    if one.status != "open":
        raise CommitmentSettled(f"the commitment is {one.status} since {one.settled_at}; make a new one instead")
    return one
