"""What a file holds of the consents of its people, and how events change that; the rules stand in consenting.py."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from shared.contracts import consent as said
from shared.contracts.state import Part

if TYPE_CHECKING:
    from services.customer.model.customer import Customer


def consent_id(person_id: str, purpose: str) -> str:
    """One entry of the ledger for each person and purpose."""
    return f"{person_id}:{purpose}"


class Consent(Part):
    """What a person said about one purpose, the last word first in `status`; `acts` are all of them in order."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"evidence"})
    person_id: str
    purpose: str
    status: Literal["given", "withdrawn"]
    basis: str | None = None
    text_version: str | None = None
    since: datetime
    acts: list[dict[str, Any]] = []
    evidence: str | None = None
    """How the last word can be shown: a form, a recording, a mail."""

    def person(self, identifier: str) -> str | None:
        """Evidence belongs to whom it is about, and goes with that person."""
        return self.person_id


def consented(state: "Customer", event: said.ConsentEvent, private: Mapping[str, Any]) -> dict[str, "Consent"]:
    """The ledger after an event about it."""
    ledger = dict(state.consents)
    for purpose in event.purposes:
        name = consent_id(event.person_id, purpose)
        before = ledger.get(name)
        act: dict[str, Any] = {"at": event.at, "channel": event.channel}
        if isinstance(event, said.ConsentGranted):
            act |= {"act": "given", "basis": event.basis, "text_version": event.text_version}
        else:
            act |= {"act": "withdrawn"}
        ledger[name] = Consent(
            person_id=event.person_id,
            purpose=purpose,
            status=act["act"],
            basis=act.get("basis", before.basis if before else None),
            text_version=act.get("text_version", before.text_version if before else None),
            since=event.at,
            acts=[*(before.acts if before else []), act],
            evidence=private.get("evidence"),
        )
    return ledger
