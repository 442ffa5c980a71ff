"""Limits of authority are reviewed every year: asked for, told up the line when late, and what was decided is kept."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pytest

from services.customer.model import authority_reviews
from services.customer.model.authority_reviews import (
    AuthorityReview,
    NotYoursToDraft,
    NotYoursToReview,
    ReviewDecidedAlready,
    ReviewUnknown,
    begin,
    call_for,
    decide,
    draft,
)
from shared.contracts import authority as said
from shared.contracts.decision import Said
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.escalating import Ladder
from shared.policy.chart import Chart, Holder
from shared.policy.shelf import read_policies

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
ASKED, DUE = datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC)
S0 = read_policies(["s0-enterprise"])
(PACK,) = S0.packs
(DOCUMENT,) = PACK.documents
HOLDERS = (Holder("boss", "manager", "customer_relations"), Holder("chief", "coo", "operations"))
LADDER = Ladder(Chart.of(S0, ON, HOLDERS), S0.calendar(ON))
APPROVER = Acting(person="head", roles=frozenset({DOCUMENT.approver}))


def after(state: AuthorityReview | None, told: Sequence[Said]) -> AuthorityReview:
    for one in told:
        state = authority_reviews.evolve(state, one.event, one.private)
    assert state is not None
    return state


def begun() -> AuthorityReview:
    return after(None, begin(None, "r1", PACK.pack, DOCUMENT, S0, ON, NOW))


def called(state: AuthorityReview, now: datetime, ladder: Ladder = LADDER) -> list[Said]:
    return call_for(state, DOCUMENT, ladder, S0, ON, now)


def told_on(state: AuthorityReview, ladder: Ladder = LADDER) -> tuple[AuthorityReview, list[tuple[int, str]]]:
    """The state after the next time somebody hears of it, and (level, role) of who did."""
    assert state.timer_at is not None
    told = called(state, state.timer_at, ladder)
    heard = [one.event for one in told if isinstance(one.event, said.AuthorityReviewCalledFor)]
    return after(state, told), [(one.level, one.to) for one in heard]


def decided(
    state: AuthorityReview, cycle: int, outcome: Literal["kept", "changed"] = "kept", who: Acting = APPROVER
) -> list[Said]:
    return decide(state, cycle, outcome, "业务规模未变", DOCUMENT, who, S0, ON, NOW)


@pytest.mark.policy("S0-43", "S1-24")
def test_a_document_is_to_be_reviewed_by_its_day_and_its_drafter_is_asked_a_month_before() -> None:
    state = begun()
    assert DOCUMENT.review_on == date(2026, 12, 31)
    assert (state.ask_at, state.due_at, state.timer_at) == (ASKED, DUE, ASKED)
    assert begin(state, "r1", PACK.pack, DOCUMENT, S0, ON, NOW) == []
    assert called(state, ASKED - timedelta(seconds=1)) == []
    told = called(state, ASKED)
    assert isinstance(told[0].event, said.AuthorityReviewCalledFor)
    assert (told[0].event.level, told[0].event.to) == (0, DOCUMENT.drafter)
    state = after(state, told)
    assert (state.timer_at, called(state, DUE - timedelta(seconds=1))) == (DUE, [])


@pytest.mark.policy("S0-43", "S0-02")
def test_what_nobody_reviews_in_time_is_told_up_the_line_to_the_coo_and_then_no_more() -> None:
    state, heard = begun(), []
    assert DOCUMENT.drafter == "manager"
    for _ in range(9):
        if state.timer_at is None:
            break
        told = called(state, state.timer_at)
        heard += [one.event.model_dump(include={"level", "to", "people"}) for one in told]
        state = after(state, told)
    assert heard == [
        {"level": 0, "to": "manager", "people": ["boss"]},
        {"level": 1, "to": "coo", "people": ["chief"]},
    ], "the director's post is vacant"
    assert state.timer_at is None


@pytest.mark.policy("S0-43", "S0-02")
def test_posts_filled_and_left_between_two_levels_leave_nobody_out_and_nobody_hears_twice() -> None:
    filled = Ladder(Chart.of(S0, ON, [*HOLDERS, Holder("head", "director", "customer_relations")]), S0.calendar(ON))
    state, heard = told_on(begun(), filled)
    assert heard == [(0, "manager")]
    state, heard = told_on(state, filled)
    assert heard == [(1, "director")]
    state, heard = told_on(state)
    assert (heard, state.timer_at) == ([(2, "coo")], None), "the director left, and has heard"


@pytest.mark.parametrize(("before", "heard"), [(0, (0, "manager")), (1, (1, "coo")), (2, (2, "coo"))])
def test_what_was_stored_when_levels_were_counted_goes_on_where_it_stood(before: int, heard: tuple[int, str]) -> None:
    stored = {**begun().model_dump(exclude={"told_to"}), "told": before}
    assert told_on(AuthorityReview.model_validate(stored))[1] == [heard]


@pytest.mark.policy("S0-43")
def test_the_approver_decides_once_a_cycle_and_the_next_review_is_due_a_year_later() -> None:
    state = after(begun(), called(begun(), DUE))
    with pytest.raises(NotYoursToReview, match=DOCUMENT.approver):
        decided(state, 1, who=Acting(person="x", roles=frozenset({"specialist"})))
    told = decided(state, 1, "changed")
    assert isinstance(told[0].event, said.AuthorityReviewed)
    assert told[0].event.version.startswith("s0-enterprise/S0/1@")
    assert "业务规模未变" not in told[0].event.model_dump_json()
    state = after(state, told)
    assert (state.cycle, state.told_to, state.outcome, state.decided_by) == (2, (), "changed", "head")
    assert state.due_at == datetime(2027, 10, 9, 16, tzinfo=UTC)
    assert state.timer_at == datetime(2027, 9, 9, 16, tzinfo=UTC)
    with pytest.raises(ReviewDecidedAlready):
        decided(state, 1)
    with pytest.raises(ReviewUnknown):
        decide(None, 1, "kept", "x", DOCUMENT, APPROVER, S0, ON, NOW)


@pytest.mark.policy("S3-01")
def test_the_supervisor_drafts_specialists_assist_and_the_decision_closes_the_drafts_of_its_cycle() -> None:
    packs = read_policies(["s0-enterprise", "s1s2s3-general"])
    lead, clerk = (Acting(person=role, roles=frozenset({role})) for role in ("group_leader", "specialist"))
    state = begun()
    for who, text in ((lead, "经理审批额度调至2000元"), (clerk, "专员额度不变")):
        told = draft(state, text, who, packs, ON, NOW)
        assert text not in told[0].event.model_dump_json()
        state = after(state, told)
    assert [(one.by, one.role, one.text) for one in state.drafts.values()] == [
        ("group_leader", "group_leader", "经理审批额度调至2000元"),
        ("specialist", "specialist", "专员额度不变"),
    ]
    with pytest.raises(NotYoursToDraft, match=r"policy\.draft\.contributors"):
        draft(state, "x", Acting(person="x", roles=frozenset({"finance"})), packs, ON, NOW)
    assert after(state, decided(state, 1)).drafts == {}
