"""What may be sold, won or lost for a reason; who is invited, once, answers and comes or not."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from services.customer.model import company_events as events
from services.customer.model.consenting import Purposes, SendingNotPermitted
from services.customer.model.customer import Customer
from services.customer.model.file_after import evolve
from services.customer.model.files import About, CustomerErased
from services.customer.model.opportunities import (
    Chance,
    OpportunityClosed,
    OpportunityUnknown,
    Stages,
    StageUnknown,
    close,
    move,
    open_one,
)
from shared.contracts.customer import InteractionLogged
from shared.contracts.decision import Said
from tests.unit.test_policy_packs import ON, POLICIES

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
STAGES = Stages.of(POLICIES, ON)
PURPOSES = Purposes.of(POLICIES, ON)
FILE = Customer(customer_id="c", code="C-1", grade="A", contacted_at=NOW - timedelta(days=90))
CHANCE = Chance("identified", 1_280_000, "CNY", date(2027, 1, 31), "spindles")
ABOUT = About(customer_id="c", source="manyi", external_id="c", time=NOW)


def after(state: Customer, sentences: Sequence[Said]) -> Customer:
    for one in sentences:
        state = evolve(state, one.event, one.private)
    return state


OPEN = after(FILE, open_one(FILE, "o", CHANCE, {"title": "更新"}, STAGES, NOW))


@pytest.mark.policy("S2-05")
def test_an_opportunity_moves_through_the_stages_of_the_policy() -> None:
    moved = after(OPEN, move(OPEN, "o", {"stage": "proposed", "amount": 900_000}, "降价", STAGES, NOW))
    one = moved.opportunities["o"]
    assert (one.stage, one.amount, one.expected_close, one.note) == ("proposed", 900_000, "2027-01-31", "降价")
    assert move(moved, "o", {"stage": "proposed"}, None, STAGES, NOW) == [], "nothing changed"
    for stage in ("won", "lost", "dreamt"):
        with pytest.raises(StageUnknown):
            move(moved, "o", {"stage": stage}, None, STAGES, NOW)
    with pytest.raises(OpportunityUnknown):
        move(moved, "p", {"stage": "proposed"}, None, STAGES, NOW)


@pytest.mark.policy("S2-05")
def test_it_is_won_or_lost_once_for_a_reason() -> None:
    won = after(OPEN, close(OPEN, "o", "won", "quality", 1_000_000, None, NOW)).opportunities["o"]
    assert (won.status, won.stage, won.reason) == ("won", "won", "quality")
    assert won.amount == 1_000_000, "what was agreed in the end"
    lost = after(OPEN, close(OPEN, "o", "lost", "price", None, "太贵", NOW))
    assert (lost.opportunities["o"].amount, lost.opportunities["o"].note) == (1_280_000, "太贵")
    with pytest.raises(OpportunityClosed):
        close(lost, "o", "won", "quality", None, None, NOW)
    with pytest.raises(OpportunityClosed):
        move(lost, "o", {"stage": "proposed"}, None, STAGES, NOW)
    with pytest.raises(CustomerErased):
        open_one(FILE.model_copy(update={"erased_at": NOW}), "o", CHANCE, {"title": "x"}, STAGES, NOW)


SALON = events.CompanyEvent(event_id="e", kind="salon", starts_at=NOW + timedelta(days=7))


@pytest.mark.policy("S1-18", "S3-26")
def test_a_guest_is_invited_once_and_the_last_answer_counts() -> None:
    with pytest.raises(SendingNotPermitted, match="no lawful basis"):
        events.invite(FILE, SALON, None, "greeting", PURPOSES, NOW)
    based = FILE.model_copy(update={"lawful_basis": "contract"})
    with pytest.raises(SendingNotPermitted, match="own consent"):
        events.invite(based, SALON, None, "marketing", PURPOSES, NOW)
    invited = after(FILE, events.invite(based, SALON, None, "greeting", PURPOSES, NOW))
    (name,) = invited.invitations
    assert events.invite(invited, SALON, None, "greeting", PURPOSES, NOW) == []
    declined = after(invited, events.answer(invited, name, "declined", NOW))
    accepted = after(declined, events.answer(declined, name, "accepted", NOW))
    assert accepted.invitations[name].status == "accepted"
    assert events.answer(accepted, name, "accepted", NOW) == []
    with pytest.raises(events.NotYetHeld):
        events.attend(accepted, ABOUT, name, True, None, NOW)
    then = NOW + timedelta(days=8)
    told = events.attend(accepted, ABOUT, name, True, "对新品感兴趣", then)
    came = after(accepted, told)
    assert came.invitations[name].status == "attended"
    assert came.contacted_at == SALON.starts_at, "who came was spoken with"
    (talk,) = [one.event for one in told if isinstance(one.event, InteractionLogged)]
    assert (talk.kind, talk.at) == ("event", SALON.starts_at)
    absent = after(accepted, events.attend(accepted, ABOUT, name, False, None, then))
    assert (absent.invitations[name].status, absent.interactions) == ("absent", {})
    with pytest.raises(events.AttendanceKnown):
        events.answer(absent, name, "accepted", then)


@pytest.mark.policy("S3-26")
def test_events_are_of_the_kinds_of_the_policy_and_nobody_is_invited_to_one_that_is_off() -> None:
    kinds = POLICIES.value("event.kinds", ON)
    with pytest.raises(events.CompanyEventKindUnknown):
        events.plan_event("e", "party", kinds, NOW, {}, NOW)
    (planned,) = events.plan_event("e", "salon", kinds, NOW, {"title": "沙龙"}, NOW)
    assert planned.policy_version == kinds.version
    state = events.evolve(None, planned.event, planned.private)
    (off,) = events.cancel(state, "e", "too_few_guests", NOW)
    with pytest.raises(events.CompanyEventOff):
        events.standing(events.evolve(state, off.event, off.private), "e")
    with pytest.raises(events.CompanyEventUnknown):
        events.standing(None, "e")
