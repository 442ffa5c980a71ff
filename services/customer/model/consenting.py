"""Rules: what a person's data may be used for, on which basis, given and withdrawn with time and evidence (S2-02)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from services.customer.model.consents import Consent, consent_id
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerUnknown, unless_erased
from shared.contracts import consent as said
from shared.contracts.decision import Invalid, Refusal, Said
from shared.policy.policies import Policies

CONSENT = "consent"
Because = Literal["given", "covered", "withdrawn", "needs_consent", "no_basis", "erased"]
"""Why something may be sent to a person, or may not."""
YES: frozenset[Because] = frozenset({"given", "covered"})
GREETING = "greeting"
"""The purpose of greetings, on people's own days and on holidays."""
TO_DO: dict[Because, str] = {
    "withdrawn": "the person said no; ask for a new consent first (POST …/consents)",
    "needs_consent": "it takes the person's own consent; note it with POST …/consents",
    "no_basis": "no lawful basis is kept for the person; note one, or a consent",
    "erased": "the person was forgotten; there is nothing to send",
}


class PurposeUnknown(Invalid):
    SLUG = "purpose-unknown"


class ConsentUnproven(Invalid):
    """Consent counts when it can be shown: which text was agreed to, and how (PIPL 14, 17)."""

    SLUG = "consent-unproven"


class SendingNotPermitted(Refusal):
    """Nothing is sent to who does not want it (PIPL 15)."""

    SLUG = "sending-not-permitted"


@dataclass(frozen=True)
class Purposes:
    """What the policies say data is used for; `separate` are the purposes that take a consent of their own."""

    known: tuple[str, ...]
    separate: frozenset[str]
    bases: tuple[str, ...]
    version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Purposes":
        """As in force on a day. Raises LimitUnset."""
        known = policies.value("consent.purposes", on)
        separate = policies.value("consent.separate", on).value
        bases = policies.value("customer.lawful_bases", on).value
        return cls(tuple(known.value), frozenset(separate), tuple(bases), known.version)

    def check(self, purposes: Sequence[str]) -> None:
        """Raises PurposeUnknown naming the first."""
        for one in purposes:
            if one not in self.known:
                raise PurposeUnknown(f"{one!r} is no purpose; there are {', '.join(self.known)}")


def grant(
    state: Customer,
    person_id: str,
    purposes: Sequence[str],
    basis: str,
    proof: tuple[str | None, str | None],
    channel: str | None,
    policy: Purposes,
    now: datetime,
) -> list[Said]:
    """The person's data may be used for these purposes; `proof` is the version of the text and the evidence.

    What holds already is not said again. Raises PurposeUnknown, ConsentUnproven, CustomerUnknown and CustomerErased.
    """
    _person(state, person_id)
    policy.check(purposes)
    text_version, evidence = proof
    if basis not in policy.bases:
        raise ConsentUnproven(f"{basis!r} is no lawful basis; there are {', '.join(policy.bases)}")
    if basis == CONSENT and not (text_version and evidence):
        raise ConsentUnproven("a consent needs textVersion and evidence: what was agreed to, and how that can be shown")
    if basis != CONSENT and (alone := sorted(set(purposes) & policy.separate)):
        raise ConsentUnproven(f"{', '.join(alone)} takes the person's own consent; no other basis will do")
    new = [one for one in purposes if not _holds(state.consents.get(consent_id(person_id, one)), basis, text_version)]
    if not new:
        return []
    event = said.ConsentGranted(
        customer_id=state.customer_id,
        person_id=person_id,
        purposes=new,
        basis=basis,
        text_version=text_version,
        channel=channel,
        at=now,
        dims=state.dims_now("manyi", {}, None),
    )
    return [_said(event, evidence, policy, now)]


def withdraw(
    state: Customer,
    person_id: str,
    purposes: Sequence[str],
    evidence: str | None,
    channel: str | None,
    policy: Purposes,
    now: datetime,
) -> list[Said]:
    """Nothing is sent to the person for these purposes any more, whatever the basis was; what was done stays lawful.

    Raises PurposeUnknown, CustomerUnknown and CustomerErased.
    """
    _person(state, person_id)
    policy.check(purposes)
    left = [one for one in purposes if not _withdrawn(state.consents.get(consent_id(person_id, one)))]
    if not left:
        return []
    event = said.ConsentWithdrawn(
        customer_id=state.customer_id,
        person_id=person_id,
        purposes=left,
        channel=channel,
        at=now,
        dims=state.dims_now("manyi", {}, None),
    )
    return [_said(event, evidence, policy, now)]


def may_send(basis: str | None, erased: bool, one: Consent | None, purpose: str, policy: Purposes) -> Because:
    """Whether a person, whose data rest on `basis`, may be written to for a purpose: `given` and `covered` mean yes."""
    if erased:
        return "erased"
    if one is not None:
        return "given" if one.status == "given" else "withdrawn"
    if purpose in policy.separate:
        return "needs_consent"
    return "no_basis" if basis is None else "covered"


def unless_unwilling(state: Customer, contact_id: str | None, purpose: str, policy: Purposes) -> None:
    """Refuse to write to a person, the customer or a contact, for a purpose. Raises SendingNotPermitted."""
    person_id = contact_id or state.customer_id
    contact = state.contacts.get(person_id)
    basis = state.lawful_basis if contact is None else contact.lawful_basis
    entry = state.consents.get(consent_id(person_id, purpose))
    because = may_send(basis, state.erased_at is not None, entry, purpose, policy)
    if because not in YES:
        raise SendingNotPermitted(f"nothing is sent to {person_id} for {purpose}: {TO_DO[because]}")


def _person(state: Customer, person_id: str) -> None:
    unless_erased(state)
    if person_id != state.customer_id and person_id not in state.contacts:
        raise CustomerUnknown(f"{person_id} is neither this customer nor one of its contacts; list them first")


def _holds(one: Consent | None, basis: str, text_version: str | None) -> bool:
    return one is not None and (one.status, one.basis, one.text_version) == ("given", basis, text_version)


def _withdrawn(one: Consent | None) -> bool:
    return one is not None and one.status == "withdrawn"


def _said(event: said.ConsentEvent, evidence: str | None, policy: Purposes, now: datetime) -> Said:
    private = {} if evidence is None else {"evidence": evidence}
    return Said(event, now, private, policy_version=policy.version, person=event.person_id)
