"""The consent ledger: who agreed to what, on which basis, with which evidence; and no personal data without a basis."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest

from services.customer.model.consenting import ConsentUnproven, Purposes, PurposeUnknown, grant, may_send, withdraw
from services.customer.model.consents import Consent
from services.customer.model.customer import Customer
from services.customer.model.erasure import erase
from services.customer.model.file_after import evolve
from services.customer.model.files import (
    About,
    CustomerErased,
    CustomerUnknown,
    NoLawfulBasis,
    add_contact,
    change,
    opening,
    register,
)
from services.customer.model.filing import Code
from services.customer.model.parts import Contact
from shared.contracts import consent as said
from shared.contracts.decision import Said
from tests.unit.test_policy_packs import POLICIES

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
POLICY = Purposes.of(POLICIES, date(2026, 3, 2))
FILE = Customer(customer_id="c", code="C-1", lawful_basis="contract", contacts={"p": Contact(name="李敏")})
PROOF = ("notice-1", "form 7")


def after(state: Customer | None, sentences: Sequence[Said]) -> Customer:
    for one in sentences:
        state = evolve(state, one.event, one.private)
    assert state is not None
    return state


def answers(state: Customer, person: str = "c") -> dict[str, str]:
    basis = state.lawful_basis if person == "c" else state.contacts[person].lawful_basis
    entries = state.consents
    return {
        purpose: may_send(basis, state.erased_at is not None, entries.get(f"{person}:{purpose}"), purpose, POLICY)
        for purpose in POLICY.known
    }


@pytest.mark.policy("S2-02")
def test_what_is_given_holds_until_it_is_withdrawn_and_may_be_given_anew() -> None:
    assert answers(FILE) == {
        "service": "covered",
        "survey": "covered",
        "greeting": "covered",
        "marketing": "needs_consent",
        "sharing": "needs_consent",
        "abroad": "needs_consent",
    }
    given = after(FILE, grant(FILE, "c", ["marketing"], "consent", PROOF, "phone", POLICY, NOW))
    assert answers(given)["marketing"] == "given"
    assert grant(given, "c", ["marketing"], "consent", PROOF, "phone", POLICY, NOW) == []
    sentences = withdraw(given, "c", POLICY.known, "录音", "phone", POLICY, NOW)
    (withdrawn,) = sentences
    assert isinstance(withdrawn.event, said.ConsentWithdrawn)
    assert withdrawn.private == {"evidence": "录音"}
    stopped = after(given, sentences)
    assert set(answers(stopped).values()) == {"withdrawn"}
    assert withdraw(stopped, "c", ["survey"], None, None, POLICY, NOW) == []
    again = after(stopped, grant(stopped, "c", ["survey"], "consent", ("notice-2", "form 8"), None, POLICY, NOW))
    assert answers(again)["survey"] == "given"
    entry = again.consents["c:survey"]
    assert [one["act"] for one in entry.acts] == ["withdrawn", "given"]
    assert (entry.text_version, entry.evidence) == ("notice-2", "form 8")
    assert answers(after(again, erase(again, None, "r", NOW, ["c"])))["survey"] == "erased"


@pytest.mark.policy("S2-02")
def test_a_consent_is_proven_and_some_purposes_take_one_of_their_own() -> None:
    with pytest.raises(ConsentUnproven, match="textVersion and evidence"):
        grant(FILE, "c", ["survey"], "consent", ("notice-1", None), None, POLICY, NOW)
    with pytest.raises(ConsentUnproven, match="marketing takes the person's own consent"):
        grant(FILE, "c", ["survey", "marketing"], "contract", (None, None), None, POLICY, NOW)
    with pytest.raises(ConsentUnproven, match="no lawful basis"):
        grant(FILE, "c", ["survey"], "habit", (None, None), None, POLICY, NOW)
    with pytest.raises(PurposeUnknown):
        withdraw(FILE, "c", ["surveys"], None, None, POLICY, NOW)
    with pytest.raises(CustomerUnknown):
        withdraw(FILE, "x", ["survey"], None, None, POLICY, NOW)
    with pytest.raises(CustomerErased):
        withdraw(FILE.model_copy(update={"erased_at": NOW}), "c", ["survey"], None, None, POLICY, NOW)


@pytest.mark.policy("S2-02")
def test_a_contact_has_a_ledger_and_evidence_of_its_own() -> None:
    (one,) = grant(FILE, "p", ["survey"], "consent", PROOF, None, POLICY, NOW)
    assert one.person == "p"
    given = after(FILE, [one])
    assert answers(given, "p")["survey"] == "given"
    assert answers(given, "p")["service"] == "no_basis"
    assert given.consents["p:survey"].person("p:survey") == "p"
    assert "evidence" in Consent.PRIVATE
    assert "form 7" not in one.event.model_dump_json()


def about(basis: str | None) -> About:
    return About(
        customer_id="c",
        source="shop",
        external_id="1",
        time=NOW,
        code=Code(code="C-1", policy_version="v"),
        basis=basis,
    )


@pytest.mark.policy("S2-02", "S2-14")
def test_no_personal_data_is_kept_without_a_lawful_basis() -> None:
    person = {"name": "王芳", "phone": "13800138000"}
    with pytest.raises(NoLawfulBasis):
        register(None, about(None), person)
    assert after(None, register(None, about(None), {"company": "远大"})).lawful_basis is None
    assert after(None, register(None, about(None), {**person, "lawful_basis": "consent"})).lawful_basis == "consent"
    assert after(None, register(None, about("contract"), person)).lawful_basis == "contract"
    heard_of = after(None, opening(None, about("contract")))
    assert heard_of.lawful_basis == "contract"
    bare = Customer(customer_id="c", code="C-1")
    with pytest.raises(NoLawfulBasis):
        change(bare, about(None), {"phone": "13800138000"})
    with pytest.raises(NoLawfulBasis):
        add_contact(bare, about(None), "p", {"name": "李敏"})
    told = add_contact(FILE, about(None), "q", {"name": "李敏"})
    assert after(FILE, told).contacts["q"].lawful_basis == "contract"
    own = add_contact(FILE, about(None), "q", {"name": "李敏", "lawful_basis": "consent"})
    assert after(FILE, own).contacts["q"].lawful_basis == "consent"
