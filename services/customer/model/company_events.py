"""Rules: events that the company holds for customers, who is invited, what they answer, who comes (S1-18, S3-26)."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from services.customer.model.cared import Invitation
from services.customer.model.consenting import Purposes, unless_unwilling
from services.customer.model.contacts import ContactUnknown
from services.customer.model.customer import Customer
from services.customer.model.files import About, log_interaction, unless_erased
from shared.contracts import care as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.policy.policies import Decided


class CompanyEventUnknown(NotFound):
    SLUG = "company-event-unknown"


class CompanyEventKindUnknown(Invalid):
    SLUG = "company-event-kind-unknown"


class CompanyEventOff(Refusal):
    SLUG = "company-event-cancelled"


class InvitationUnknown(NotFound):
    SLUG = "invitation-unknown"


class NotYetHeld(Refusal):
    SLUG = "company-event-not-yet-held"


class AttendanceKnown(Refusal):
    SLUG = "attendance-recorded"


class CompanyEvent(State):
    """A salon, a product launch or the like; its guests are in the files of the customers."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"title", "place"})
    event_id: str
    kind: str
    starts_at: datetime
    status: Literal["planned", "cancelled"] = "planned"
    reason: str | None = None
    title: str | None = None
    place: str | None = None


def evolve(state: CompanyEvent | None, event: Event, private: Mapping[str, Any]) -> CompanyEvent:
    """Fold one event, public and private part, into the state."""
    match event:
        case said.CompanyEventPlanned():
            return CompanyEvent.model_validate({**event.model_dump(), **private})
        case said.CompanyEventCancelled() if state is not None:
            return state.model_copy(update={"status": "cancelled", "reason": event.reason})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a company event")


def plan_event(
    event_id: str, kind: str, kinds: Decided, starts_at: datetime, words: Mapping[str, str], now: datetime
) -> list[Said]:
    """Plan one; `kinds` are those of the policy. Raises CompanyEventKindUnknown."""
    if kind not in kinds.value:
        raise CompanyEventKindUnknown(f"{kind!r} is no kind of event; event.kinds has {', '.join(kinds.value)}")
    event = said.CompanyEventPlanned(event_id=event_id, kind=kind, starts_at=starts_at)
    return [Said(event, now, words, policy_version=kinds.version)]


def cancel(state: CompanyEvent | None, event_id: str, reason: str, now: datetime) -> list[Said]:
    """It does not take place. Raises CompanyEventUnknown, CompanyEventOff."""
    one = standing(state, event_id)
    event = said.CompanyEventCancelled(event_id=event_id, kind=one.kind, starts_at=one.starts_at, reason=reason)
    return [Said(event, now)]


def standing(state: CompanyEvent | None, event_id: str) -> CompanyEvent:
    """The event, unless there is none, or it is off. Raises CompanyEventUnknown, CompanyEventOff."""
    if state is None:
        raise CompanyEventUnknown(f"there is no company event {event_id}; list them first")
    if state.status == "cancelled":
        raise CompanyEventOff(f"the event was cancelled ({state.reason}); plan another one")
    return state


def invitation_of(event_id: str, customer_id: str, contact_id: str | None) -> str:
    """The id of a guest's invitation: nobody is invited twice."""
    return hashlib.sha256(f"{event_id}\x1f{customer_id}\x1f{contact_id or ''}".encode()).hexdigest()[:32]


def invite(
    state: Customer, event: CompanyEvent, contact_id: str | None, purpose: str, policy: Purposes, now: datetime
) -> list[Said]:
    """Invite a customer or a contact; once. Raises ContactUnknown, CustomerErased, SendingNotPermitted."""
    unless_erased(state)
    if contact_id is not None and contact_id not in state.contacts:
        raise ContactUnknown(f"customer {state.code} has no contact {contact_id}; list them, or add the person")
    invitation_id = invitation_of(event.event_id, state.customer_id, contact_id)
    if invitation_id in state.invitations:
        return []
    unless_unwilling(state, contact_id, purpose, policy)
    told = said.CustomerInvited(
        customer_id=state.customer_id,
        invitation_id=invitation_id,
        event_id=event.event_id,
        contact_id=contact_id,
        kind=event.kind,
        starts_at=event.starts_at,
        dims=state.dims_now("manyi", {}, None),
    )
    return [Said(told, now, policy_version=policy.version)]


def answer(state: Customer, invitation_id: str, reply: Literal["accepted", "declined"], now: datetime) -> list[Said]:
    """The guest accepts or declines; the last answer counts. Raises InvitationUnknown, AttendanceKnown."""
    one = _open(state, invitation_id)
    if one.status == reply:
        return []
    return [Said(said.InvitationAnswered(**_common(state, invitation_id, one), answer=reply), now)]


def attend(
    state: Customer, about: About, invitation_id: str, came: bool, note: str | None, now: datetime
) -> list[Said]:
    """The guest came, which is a conversation of the file, or did not.

    Raises InvitationUnknown, NotYetHeld, AttendanceKnown.
    """
    one = _open(state, invitation_id)
    if now < one.starts_at:
        raise NotYetHeld(f"the event begins at {one.starts_at.isoformat()}; say who came once it has begun")
    private = {} if note is None else {"note": note}
    told = Said(said.AttendanceRecorded(**_common(state, invitation_id, one), attended=came), now, private)
    if not came:
        return [told]
    then = about.model_copy(update={"time": one.starts_at})
    details: dict[str, Any] = {"channel": "event", "staff_id": None, "needs": []}
    return [told, *log_interaction(state, then, invitation_id, "event", details, None)]


def _open(state: Customer, invitation_id: str) -> Invitation:
    one = state.invitations.get(invitation_id)
    if one is None:
        raise InvitationUnknown(f"customer {state.code} has no invitation {invitation_id}; invite them first")
    if one.status in ("attended", "absent"):
        raise AttendanceKnown(f"the guest is noted as {one.status} already; there is nothing more to do")
    return one


def _common(state: Customer, invitation_id: str, one: Invitation) -> dict[str, Any]:
    return {
        "customer_id": state.customer_id,
        "invitation_id": invitation_id,
        "event_id": one.event_id,
        "dims": state.dims_now("manyi", {}, None),
    }
