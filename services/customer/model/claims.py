"""Rules: a person claims a right to their own data, and is answered in time or refused for a reason (PIPL 44–50)."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from services.customer.model.open_timers import CLAIM, begun, told, without
from shared.contracts import rights as said
from shared.contracts.decision import NotFound, Refusal, Said
from shared.contracts.feedback import Target
from shared.contracts.state import Part
from shared.policy.calendar.due import Due
from shared.policy.timers import Stage, Timer

if TYPE_CHECKING:
    from services.customer.model.customer import Customer


class Claim(Part):
    """What one person asks for: `words` as they put it, `answer` as they were told; `why` is the deadline's
    arithmetic."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"words", "answer"})
    person_id: str
    right: said.Right
    channel: str | None = None
    at: datetime
    due_at: datetime
    why: dict[str, str] = {}
    status: Literal["open", "granted", "refused"] = "open"
    reason: str | None = None
    answered_at: datetime | None = None
    late: bool = False
    words: str | None = None
    answer: str | None = None

    def person(self, identifier: str) -> str | None:
        """What was said belongs to whom it is about, and goes with that person."""
        return self.person_id


class ClaimUnknown(NotFound):
    SLUG = "claim-unknown"


class ClaimAnswered(Refusal):
    SLUG = "claim-answered"


class ClaimedAlready(Refusal):
    SLUG = "claimed-already"


def claimed(state: "Customer", event: said.RightEvent, private: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the file that an event about a claim changes."""
    name = event.claim_id
    match event:
        case said.RightClaimed():
            fields = event.model_dump(include={"person_id", "right", "channel", "at"})
            opened = Claim.model_validate({**fields, "due_at": event.target.due_at, **private})
            timers = {**state.timers, name: begun(CLAIM, event.target)}
            return {"claims": {**state.claims, name: opened}, "timers": timers}
        case said.RightWarned():
            return {"timers": told(state.timers, name, 0)}
        case said.RightMissed():
            return {"timers": told(state.timers, name, event.level + 1)}
        case said.RightAnswered():
            outcome = {"status": event.outcome, "reason": event.reason, "answered_at": event.at, "late": event.late}
            closed = state.claims[name].model_copy(update={**outcome, **private})
            return {"claims": {**state.claims, name: closed}, "timers": without(state.timers, name)}
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a claim")


def claim(
    state: "Customer",
    claim_id: str,
    person_id: str,
    right: said.Right,
    words: tuple[str | None, str | None],
    due: Due,
    target: Target,
    now: datetime,
) -> list[Said]:
    """A known person asks for something by right; `words` are the channel and what was said. Raises ClaimedAlready."""
    same = (person_id, right, "open")
    if any((one.person_id, one.right, one.status) == same for one in state.claims.values()):
        raise ClaimedAlready(f"{person_id} is waiting for the answer to the same claim; answer that one")
    channel, text = words
    event = said.RightClaimed(
        **_about(state, claim_id), person_id=person_id, right=right, channel=channel, at=now, target=target
    )
    why = {"zh": due.explained("zh"), "en": due.explained("en")}
    private = {"why": why, **({} if text is None else {"words": text})}
    return [Said(event, now, private, policy_version=target.policy_version, person=person_id)]


def answer(
    state: "Customer",
    claim_id: str,
    outcome: Literal["granted", "refused"],
    reason: str | None,
    words: str | None,
    now: datetime,
) -> list[Said]:
    """The person is answered, also once they are forgotten as they asked. Raises ClaimUnknown, ClaimAnswered."""
    one = state.claims.get(claim_id)
    if one is None:
        raise ClaimUnknown(f"customer {state.code} has no claim {claim_id}; list them first")
    if one.status != "open":
        raise ClaimAnswered(f"the claim is {one.status} since {one.answered_at}; note a new one if they ask again")
    of_it = one.model_dump(include={"person_id", "right", "due_at"})
    event = said.RightAnswered(
        **_about(state, claim_id), **of_it, outcome=outcome, reason=reason, at=now, late=now >= one.due_at
    )
    private = {} if words is None or _forgotten(state, one.person_id) else {"answer": words}
    return [Said(event, now, private, person=one.person_id)]


def fell_due(state: "Customer", claim_id: str, timer: Timer, stage: Stage, role: str | None) -> Said:
    """What is said of an answer that is due soon, due, or overdue."""
    about = {**_about(state, claim_id), "due_at": timer.target.due_at, "at": stage.at}
    version = timer.target.policy_version
    if stage.number == 0:
        return Said(said.RightWarned(**about), stage.at, policy_version=version)
    return Said(said.RightMissed(**about, level=stage.number - 1, role=role), stage.at, policy_version=version)


def _forgotten(state: "Customer", person_id: str) -> bool:
    """Whether nothing personal is kept of them any more, so that nothing is written down anew either."""
    contact = state.contacts.get(person_id)
    if contact is None:
        return state.erased_at is not None
    return all(getattr(contact, name) is None for name in contact.PRIVATE)


def _about(state: "Customer", claim_id: str) -> dict[str, Any]:
    dims = state.dims_now("manyi", {}, None)
    return {"customer_id": state.customer_id, "claim_id": claim_id, "dims": dims}
