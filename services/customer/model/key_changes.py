"""Rules: key fields change by approval, and the old value stays in force until then (S2-19, S2-13).

The state machine is that of every approval (shared/policy/approvals); each of its moves is recorded with its event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.customer.model.approving import Events, Verdict, answered, completes, recorded, told
from services.customer.model.customer import CREDIT, Customer
from services.customer.model.files import About, change
from services.customer.model.parts import KeyChange
from shared.contracts import key_changes as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.asking import resubmit as sent_again
from shared.policy.approvals.asking import submit
from shared.policy.approvals.asking import withdraw as taken_back
from shared.policy.approvals.chain import Route
from shared.policy.approvals.deciding import expire
from shared.policy.approvals.escalating import Ladder
from shared.policy.approvals.moves import Request
from shared.policy.approvals.rescheduling import reschedule as under_calendar
from shared.policy.calendar.business import Calendar
from shared.policy.policies import Policies

LEVELS = {
    "keychange.fields.credit": "keychange.chain.credit",
    "keychange.fields.high": "keychange.chain.high",
    "keychange.fields": "keychange.chain",
}
"""List of fields → chain that decides on them, the strictest first."""
CALLED = {"contact": ("phone", "email"), "name": ("name", "company"), "owner": ("owner_id",)}
"""What a policy calls otherwise than a file does."""
EVENTS = Events(
    said.KeyChangeStepApproved,
    said.KeyChangeReturned,
    said.KeyChangeDecided,
    said.KeyChangeEscalated,
    said.KeyChangeRescheduled,
)


class KeyFieldNeedsApproval(Refusal):
    SLUG = "key-field-needs-approval"


class NoKeyField(Invalid):
    SLUG = "no-key-field"


class CreditGoesAlone(Invalid):
    """The credit is decided on by other people than everything else (S2-13)."""

    SLUG = "credit-goes-alone"


class KeyChangeUnknown(NotFound):
    SLUG = "key-change-unknown"


@dataclass(frozen=True)
class KeyFields:
    """Field of a file → the chain that decides on its change."""

    chains: Mapping[str, str]

    @classmethod
    def of(cls, policies: Policies, on: date) -> "KeyFields":
        """As in force on a day. Raises LimitUnset."""
        chains: dict[str, str] = {}
        for key, chain in LEVELS.items():
            for called in policies.value(key, on).value:
                for name in CALLED.get(called, (called,)):
                    chains.setdefault(name, chain)
        return cls(chains)

    def changed(self, state: Customer, fields: Mapping[str, Any]) -> list[str]:
        """The key fields among these that have another value now. One that has none yet is no change, but for the
        credit: there the first word is approved, too."""
        other = [name for name in fields if name in self.chains and fields[name] not in (None, getattr(state, name))]
        return sorted(name for name in other if name == CREDIT or getattr(state, name) is not None)

    def chain(self, names: Iterable[str]) -> str:
        """The strictest chain of these fields. Raises NoKeyField."""
        found = {self.chains[name] for name in names if name in self.chains}
        strictest = next((chain for chain in LEVELS.values() if chain in found), None)
        if strictest is None:
            raise NoKeyField("none of these fields changes a key field; change the file with PATCH")
        return strictest


def refuse_direct(state: Customer, keys: KeyFields, fields: Mapping[str, Any]) -> None:
    """Refuse to change a key field without approval. Raises KeyFieldNeedsApproval."""
    if names := keys.changed(state, fields):
        raise KeyFieldNeedsApproval(
            f"{', '.join(names)} changes by approval alone; ask with POST /v1/customers/{state.customer_id}/key-changes"
        )


def refuse_mark(state: Customer | None, keys: KeyFields, fields: Mapping[str, Any]) -> None:
    """Refuse to open a file as a key customer's: the first mark is approved, too, where its change is.

    Every other first value is the desk's own to say; a first grade is the specialist's (S3-07). Raises
    KeyFieldNeedsApproval.
    """
    marked = state is not None and state.key_mark
    if fields.get("key_mark") and not marked and "key_mark" in keys.chains:
        raise KeyFieldNeedsApproval(
            "key_mark is set by approval alone: open the file without it, then ask with POST "
            "/v1/customers/{customer_id}/key-changes"
        )


def ask(
    state: Customer,
    request_id: str,
    fields: Mapping[str, Any],
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Ask for a change of key fields; nothing changes yet. Raises NoKeyField, CreditGoesAlone, LimitUnset."""
    names, route = _route(state, fields, policies, on)
    decided = submit(None, _request(request_id, who), route, policies.calendar(on), now)
    event = said.KeyChangeRequested(
        **_about(state, request_id),
        fields=names,
        steps=list(route.steps),
        requester=who.person,
        due_at=decided[0].due.at if decided[0].due else None,
    )
    return [recorded(event, decided[0], {"values": {name: fields[name] for name in names}})]


def ask_again(
    state: Customer,
    request_id: str,
    fields: Mapping[str, Any],
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Send a returned request again with these fields.

    Raises as `ask`, and KeyChangeUnknown, ApprovalNotOpen, NotYourRequest.
    """
    asked = _asked(state, request_id)
    names, route = _route(state, fields, policies, on)
    decided = sent_again(asked.approval, who, _request(request_id, who), route, policies.calendar(on), now)
    event = said.KeyChangeResubmitted(
        **_about(state, request_id),
        fields=names,
        steps=list(route.steps),
        due_at=decided[0].due.at if decided[0].due else None,
    )
    return [recorded(event, decided[0], {"values": {name: fields[name] for name in names}})]


def decide(
    state: Customer,
    about: About,
    request_id: str,
    who: Acting,
    verdict: Verdict,
    step: tuple[int, int],
    reason: str | None,
) -> list[Said]:
    """Approve, reject or return the step (number, cycle) looked at; the last approval changes the file.

    Raises KeyChangeUnknown and what the approval rules raise.
    """
    asked = _asked(state, request_id)
    moves = answered(asked.approval, who, verdict, step, about.time, reason)
    changed = change(state, about, asked.values) if completes(moves) else []
    return [*told(EVENTS, _about(state, request_id), moves), *changed]


def withdraw(state: Customer, request_id: str, who: Acting, reason: str | None, now: datetime) -> list[Said]:
    """Take a request back before it is decided. Raises KeyChangeUnknown, NotYourRequest, ApprovalNotOpen."""
    asked = _asked(state, request_id)
    return told(EVENTS, _about(state, request_id), taken_back(asked.approval, who, now, reason))


def lapse(state: Customer | None, request_id: str, now: datetime, ladder: Ladder | None = None) -> list[Said]:
    """The passing of a request's deadline; repeatable."""
    asked = None if state is None else state.key_changes.get(request_id)
    if state is None or asked is None:
        return []
    return told(EVENTS, _about(state, request_id), expire(asked.approval, now, ladder))


def reschedule(state: Customer | None, request_id: str, calendar: Calendar, now: datetime) -> list[Said]:
    """The deadline under an edited calendar; repeatable."""
    asked = None if state is None else state.key_changes.get(request_id)
    if state is None or asked is None:
        return []
    return told(EVENTS, _about(state, request_id), under_calendar(asked.approval, calendar, now))


def _route(state: Customer, fields: Mapping[str, Any], policies: Policies, on: date) -> tuple[list[str], Route]:
    keys = KeyFields.of(policies, on)
    names = keys.changed(state, fields)
    if CREDIT in names and len(names) > 1:
        raise CreditGoesAlone("others decide on the credit than on the rest: ask for it in a request of its own")
    return names, policies.route(keys.chain(names), on)


def _request(request_id: str, who: Acting) -> Request:
    return Request(approval_id=request_id, kind="key-change", requester=who.person)


def _asked(state: Customer, request_id: str) -> KeyChange:
    asked = state.key_changes.get(request_id)
    if asked is None:
        raise KeyChangeUnknown(f"customer {state.code} has no key change {request_id}; list them first")
    return asked


def _about(state: Customer, request_id: str) -> dict[str, Any]:
    return {"customer_id": state.customer_id, "request_id": request_id, "dims": state.dims_now("manyi", {}, None)}
