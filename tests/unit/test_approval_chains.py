"""Approval of purchases, gifts, expenses and key changes: one machine, the chains of the packs."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.contracts.decision import Refusal
from shared.policy.approvals import asking, deciding, refusals
from shared.policy.approvals.acting import Acting, Substitution
from shared.policy.approvals.approval import Approval, evolve
from shared.policy.approvals.chain import Route
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.moves import Request, StepApproved
from shared.policy.calendar.business import Calendar
from shared.policy.policies import LimitUnset, Policies
from shared.policy.shelf import read_policies

POLICIES = read_policies(["s0-enterprise", "s4-engineering", "s1s2s3-general"])
CALENDAR = POLICIES.calendar(date(2026, 10, 9))
NOW = datetime(2026, 10, 9, 10, tzinfo=ZoneInfo("Asia/Shanghai"))
DUE = datetime(2026, 10, 14, tzinfo=ZoneInfo("Asia/Shanghai"))
HOUR = timedelta(hours=1)
PURCHASE = Request(approval_id="p1", kind="purchase", requester="wang", amount=120_000, currency="CNY")


def acting(person: str, *roles: str, substitutions: tuple[Substitution, ...] = ()) -> Acting:
    return Acting(person=person, roles=frozenset(roles), substitutions=substitutions)


WANG, HEAD, FINANCE = acting("wang", "specialist"), acting("li", "dept_head"), acting("zhao", "finance")
CEO, MANAGER = acting("qian", "ceo"), acting("sun", "manager")


def route(key: str = "purchase.chain", amount: int | None = 120_000, policies: Policies = POLICIES) -> Route:
    return policies.route(key, NOW.date(), amount)


def after(state: Approval | None, decided: list[Decided]) -> Approval:
    for one in decided:
        state = evolve(state, one.move)
    assert state is not None
    return state


def submitted(key: str = "purchase.chain", calendar: Calendar = CALENDAR) -> Approval:
    return after(None, asking.submit(None, PURCHASE, route(key), calendar, NOW))


def approved(state: Approval, *people: Acting, now: datetime = NOW + HOUR) -> Approval:
    for person in people:
        state = after(state, deciding.approve(state, person, state.step, state.cycle, now))
    return state


@pytest.mark.policy("S0-31", "S0-15")
def test_a_purchase_takes_three_signatures_in_their_order_within_three_working_days() -> None:
    (sent,) = asking.submit(None, PURCHASE, route(), CALENDAR, NOW)
    state = after(None, [sent])
    assert state.route.steps == ("dept_head", "finance", "ceo")
    assert state.due_at == DUE
    assert sent.due is not None
    assert sent.due.local == "2026-10-13 24:00"
    assert sent.policy_version.startswith("s0-enterprise/S0/1@")
    with pytest.raises(refusals.NotYourStep):
        deciding.approve(state, CEO, 0, 1, NOW)
    state = approved(state, HEAD, FINANCE)
    assert state.status == "pending"
    last = deciding.approve(state, CEO, 2, 1, NOW + HOUR)
    assert [one.move.move for one in last] == ["step_approved", "completed"]
    assert after(state, last).status == "approved"


@pytest.mark.policy("S0-31")
def test_when_the_three_days_pass_it_escalates_once_and_the_same_people_still_decide() -> None:
    state = approved(submitted(), HEAD)
    assert deciding.expire(state, DUE - HOUR) == []
    state = after(state, deciding.expire(state, DUE))
    assert (state.status, state.escalated) == ("pending", True)
    assert deciding.expire(state, DUE + HOUR) == []
    with pytest.raises(refusals.NotYourStep):
        deciding.approve(state, acting("zhou", "coo"), 1, 1, DUE)
    (late,) = deciding.approve(state, FINANCE, 1, 1, DUE)
    assert isinstance(late.move, StepApproved)
    assert late.move.late


@pytest.mark.parametrize("told", [False, True])
def test_what_was_stored_when_one_role_alone_was_told_is_told_of_once_too(told: bool) -> None:
    kept = submitted().model_dump(exclude={"told_to", "alarm_at"})
    state = Approval.model_validate({**kept, "escalated": told})
    assert (state.escalated, state.alarm_at) == (told, None if told else DUE)
    assert len(deciding.expire(state, DUE)) == (not told)


@pytest.mark.policy("S0-32")
def test_an_urgent_purchase_happens_at_once_and_is_ratified_by_the_whole_chain() -> None:
    (done,) = asking.authorise_in_emergency(None, PURCHASE, route(), MANAGER, CALENDAR, NOW)
    state = after(None, [done])
    assert state.status == "pending_ratification"
    assert state.due_at == DUE
    assert approved(state, HEAD, FINANCE).status == "pending_ratification"
    assert approved(state, HEAD, FINANCE, CEO).status == "ratified"


@pytest.mark.policy("S0-32")
def test_an_urgent_purchase_that_is_refused_or_forgotten_is_a_violation() -> None:
    state = after(None, asking.authorise_in_emergency(None, PURCHASE, route(), MANAGER, CALENDAR, NOW))
    assert after(state, deciding.reject(state, HEAD, 0, 1, NOW, "not urgent")).status == "violation"
    assert after(state, deciding.expire(state, DUE)).status == "violation"
    with pytest.raises(refusals.DeadlinePassed):
        deciding.approve(state, HEAD, 0, 1, DUE)
    with pytest.raises(refusals.ApprovalNotOpen):
        deciding.return_to_requester(state, HEAD, 0, 1, NOW, "which one?")
    with pytest.raises(refusals.ApprovalNotOpen):
        asking.withdraw(state, WANG, NOW)


@pytest.mark.policy("S0-32")
def test_who_may_not_act_in_an_emergency() -> None:
    with pytest.raises(refusals.NoEmergencyPath, match="manager may authorise"):
        asking.authorise_in_emergency(None, PURCHASE, route(), HEAD, CALENDAR, NOW)
    with pytest.raises(refusals.RequesterCannotApprove):
        asking.authorise_in_emergency(None, PURCHASE, route(), acting("wang", "manager"), CALENDAR, NOW)
    with pytest.raises(refusals.NoEmergencyPath):
        asking.authorise_in_emergency(None, PURCHASE, route("keychange.chain"), MANAGER, CALENDAR, NOW)
    both = acting("sun", "manager", "dept_head")
    state = after(None, asking.authorise_in_emergency(None, PURCHASE, route(), both, CALENDAR, NOW))
    with pytest.raises(refusals.ApprovedAlreadyByYou):
        deciding.approve(state, both, 0, 1, NOW)


@pytest.mark.policy("S0-40")
def test_gifts_are_refused_until_their_limits_are_set() -> None:
    with pytest.raises(LimitUnset, match=r"gift\.limit\.specialist is not set.*s0-enterprise\.yaml"):
        route("gift.chain", 1)


@pytest.mark.policy("S3-15")
def test_the_requester_never_decides_whatever_his_roles_and_whoever_he_stands_in_for() -> None:
    state = submitted()
    everything = acting("wang", "dept_head", "finance", "ceo")
    with pytest.raises(refusals.RequesterCannotApprove):
        deciding.approve(state, everything, 0, 1, NOW)
    for_wang = Substitution(role="dept_head", absent="wang", since=NOW, until=NOW + HOUR)
    with pytest.raises(refusals.RequesterCannotApprove):
        deciding.approve(state, acting("he", substitutions=(for_wang,)), 0, 1, NOW)


@pytest.mark.policy("S3-15")
def test_nobody_takes_two_steps_unless_the_pack_allows_it() -> None:
    both = acting("li", "dept_head", "finance")
    state = approved(submitted(), both)
    with pytest.raises(refusals.ApprovedAlreadyByYou):
        deciding.approve(state, both, 1, 1, NOW)
    loose = state.model_copy(update={"route": state.route.model_copy(update={"same_approver_twice": True})})
    assert approved(loose, both).step == 2


@pytest.mark.policy("S0-31")
def test_of_two_approvers_of_one_step_the_second_is_refused() -> None:
    seen = submitted()
    state = approved(seen, HEAD)
    with pytest.raises(refusals.StepAlreadyDecided, match="step 2 of round 1"):
        deciding.approve(state, acting("other", "dept_head"), seen.step, seen.cycle, NOW)


def test_a_substitute_decides_within_the_period_only() -> None:
    state = submitted()
    standing_in = Substitution(role="dept_head", absent="li", since=NOW, until=NOW + HOUR)
    deputy = acting("he", substitutions=(standing_in,))
    (signed,) = deciding.approve(state, deputy, 0, 1, NOW)
    assert isinstance(signed.move, StepApproved)
    assert (signed.move.signature.by, signed.move.signature.on_behalf_of) == ("he", "li")
    with pytest.raises(refusals.NotYourStep):
        deciding.approve(state, deputy, 0, 1, NOW + HOUR)
    state = after(state, [signed])
    with pytest.raises(refusals.ApprovedAlreadyByYou):
        deciding.approve(state, acting("li", "finance"), 1, 1, NOW)


def test_a_step_is_handed_over_until_an_instant_and_not_handed_on() -> None:
    state = submitted()
    state = after(state, deciding.hand_over(state, HEAD, "he", NOW + HOUR, 0, 1, NOW, "travelling"))
    he = acting("he")
    with pytest.raises(refusals.HandOverRefused):
        deciding.hand_over(state, he, "hu", NOW + HOUR, 0, 1, NOW, "busy")
    with pytest.raises(refusals.NotYourStep):
        deciding.approve(state, he, 0, 1, NOW + HOUR)
    state = approved(state, he, now=NOW)
    assert state.used == {"he", "li"}
    with pytest.raises(refusals.NotYourStep):
        deciding.approve(state, he, 1, 1, NOW)


@pytest.mark.parametrize(("to", "until"), [("wang", NOW + HOUR), ("li", NOW + HOUR), ("he", NOW)])
def test_a_step_is_not_handed_to_the_requester_to_oneself_or_into_the_past(to: str, until: datetime) -> None:
    with pytest.raises(refusals.HandOverRefused):
        deciding.hand_over(submitted(), HEAD, to, until, 0, 1, NOW, "travelling")


def test_a_returned_request_begins_anew_with_its_own_deadline() -> None:
    state = approved(submitted(), HEAD)
    (back,) = deciding.return_to_requester(state, FINANCE, 1, 1, NOW, "which supplier?")
    assert back.private == {"reason": "which supplier?"}
    state = after(state, [back])
    with pytest.raises(refusals.ApprovalNotOpen):
        deciding.approve(state, FINANCE, 1, 1, NOW)
    with pytest.raises(refusals.NotYourRequest):
        asking.resubmit(state, HEAD, PURCHASE, route(), CALENDAR, NOW)
    stolen = PURCHASE.model_copy(update={"requester": "li"})
    with pytest.raises(refusals.NotYourRequest):
        asking.resubmit(state, WANG, stolen, route(), CALENDAR, NOW)
    state = after(state, asking.resubmit(state, WANG, PURCHASE, route(), CALENDAR, NOW + timedelta(days=3)))
    assert (state.status, state.cycle, state.step, state.signatures) == ("pending", 2, 0, ())
    assert state.due_at is not None
    assert state.due_at > DUE
    with pytest.raises(refusals.StepAlreadyDecided):
        deciding.approve(state, HEAD, 0, 1, NOW)
    assert approved(state, HEAD, FINANCE, CEO, now=NOW + timedelta(days=3)).status == "approved"


def test_only_the_requester_withdraws_and_only_before_the_decision() -> None:
    state = submitted()
    with pytest.raises(refusals.NotYourRequest):
        asking.withdraw(state, HEAD, NOW)
    gone = after(state, asking.withdraw(state, WANG, NOW))
    assert gone.status == "withdrawn"
    for late in (gone, approved(state, HEAD, FINANCE, CEO)):
        with pytest.raises(refusals.ApprovalNotOpen):
            asking.withdraw(late, WANG, NOW)


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_refusal_without_a_reason_is_refused(reason: str) -> None:
    for no in (deciding.reject, deciding.return_to_requester):
        with pytest.raises(refusals.ReasonMissing):
            no(submitted(), HEAD, 0, 1, NOW, reason)


@pytest.mark.policy("S2-19")
def test_a_key_change_lapses_with_its_deadline_even_before_the_timer_fires() -> None:
    state = submitted("keychange.chain")
    assert state.due_at is not None
    leader = acting("leader", "group_leader")
    with pytest.raises(refusals.DeadlinePassed):
        deciding.approve(state, leader, 0, 1, state.due_at)
    assert after(state, deciding.expire(state, state.due_at)).status == "lapsed"
    assert approved(state, leader).status == "approved"


@pytest.mark.policy("S4-19")
def test_a_scheme_goes_from_marketing_to_the_general_manager() -> None:
    assert route("survey.scheme.chain", None).steps == ("marketing", "dept_head")


def test_what_does_not_exist_or_exists_already_is_refused() -> None:
    with pytest.raises(refusals.ApprovalUnknown):
        deciding.approve(None, HEAD, 0, 1, NOW)
    state = submitted()
    with pytest.raises(refusals.AlreadySubmitted):
        asking.submit(state, PURCHASE, route(), CALENDAR, NOW)
    with pytest.raises(ValueError, match="cannot be the first move"):
        evolve(None, deciding.approve(state, HEAD, 0, 1, NOW)[0].move)
    assert deciding.expire(None, NOW) == []
    assert issubclass(refusals.NotYourStep, Refusal)


def test_the_state_survives_json() -> None:
    state = approved(submitted(), HEAD)
    state = after(state, deciding.hand_over(state, FINANCE, "he", NOW + HOUR, 1, 1, NOW, "travelling"))
    assert Approval.model_validate_json(state.model_dump_json()) == state
