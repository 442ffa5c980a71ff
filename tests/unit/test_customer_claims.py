"""A person's claims to their own data: answered once, in time or late, refused for a reason; told of when overdue."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.customer.model.claims import ClaimAnswered, ClaimedAlready, ClaimUnknown, answer, claim
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.erasure import erase
from services.customer.model.file_after import evolve
from services.customer.model.open_timers import CLAIM
from services.customer.model.parts import Contact
from shared.contracts import rights as said
from shared.contracts.decision import Said, Scene
from tests.unit.test_policy_packs import POLICIES

SHANGHAI = ZoneInfo("Asia/Shanghai")
DEADLINES = Deadlines(POLICIES, SHANGHAI)
ASKED = datetime(2026, 11, 2, 10, tzinfo=SHANGHAI)
DUE = datetime(2026, 11, 24, tzinfo=SHANGHAI)
"""Fifteen working days from Monday 11-02 end with Monday 11-23."""
FILE = Customer(customer_id="c", code="C-1", name="王芳", contacts={"p": Contact(name="李敏")})


def after(state: Customer, sentences: Sequence[Said]) -> Customer:
    for one in sentences:
        state = evolve(state, one.event, one.private)
    return state


def asked(state: Customer = FILE, name: str = "r", person: str = "p", right: said.Right = "copy") -> list[Said]:
    within, _ = POLICIES.span("privacy.request.within", ASKED.date())
    due = DEADLINES.due(ASKED, within)
    target = DEADLINES.target(CLAIM, ASKED, due)
    return claim(state, name, person, right, ("phone", "请给我一份"), due, target, ASKED)


@pytest.mark.policy("S2-02")
def test_a_claim_is_due_by_the_policy_explains_it_and_keeps_its_words() -> None:
    (told,) = asked()
    assert told.person == "p"
    assert told.policy_version is not None
    assert "请给我一份" not in told.event.model_dump_json()
    one = after(FILE, [told]).claims["r"]
    assert (one.due_at, one.words, one.status) == (DUE, "请给我一份", "open")
    assert "working day 15: 11-23" in one.why["en"]
    with pytest.raises(ClaimedAlready, match="waiting for the answer"):
        asked(after(FILE, [told]), "s")
    assert asked(after(FILE, [told]), "s", person="c")
    assert asked(after(FILE, [told]), "s", right="erasure")


@pytest.mark.policy("S2-02")
def test_it_is_answered_once_in_time_or_late() -> None:
    state = after(FILE, asked())
    for now, late in ((ASKED, False), (DUE, True)):
        done = after(state, answer(state, "r", "refused", "legal_duty", "依法须保存", now))
        one = done.claims["r"]
        assert (one.status, one.reason, one.late, one.answer) == ("refused", "legal_duty", late, "依法须保存")
        assert done.timers == {}
        with pytest.raises(ClaimAnswered):
            answer(done, "r", "granted", None, None, now)
    with pytest.raises(ClaimUnknown):
        answer(FILE, "r", "granted", None, None, ASKED)


@pytest.mark.policy("S2-02")
def test_who_is_not_answered_is_told_of_level_by_level_once() -> None:
    state = after(FILE, asked())
    head = state.model_copy(update={"claims": {}})  # a timekeeper has the head alone
    warned = DEADLINES.tell(head, Scene(datetime(2026, 11, 19, 12, tzinfo=SHANGHAI)))
    assert [type(one.event) for one in warned] == [said.RightWarned]
    late = DEADLINES.tell(after(head, warned), Scene(datetime(2026, 11, 27, tzinfo=SHANGHAI)))
    missed = [one.event for one in late if isinstance(one.event, said.RightMissed)]
    assert [(one.level, one.role) for one in missed] == [(0, None), (1, "manager"), (2, "director")]
    assert DEADLINES.tell(after(after(head, warned), late), Scene(datetime(2027, 1, 5, tzinfo=SHANGHAI))) == []


@pytest.mark.policy("S2-02")
@pytest.mark.parametrize(("person", "contact"), [("c", None), ("p", "p")])
def test_who_asked_to_be_forgotten_is_answered_after_that_without_a_word_kept(person: str, contact: str | None) -> None:
    state = after(FILE, asked(person=person, right="erasure"))
    assert answer(state, "r", "granted", None, "已删除", ASKED)[0].private == {"answer": "已删除"}
    gone = after(state, erase(state, contact, "e", ASKED, ["c"]))
    (told,) = answer(gone, "r", "granted", None, "已删除", ASKED)
    assert told.private == {}
    assert after(gone, [told]).claims["r"].status == "granted"
