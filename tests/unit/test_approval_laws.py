"""Whatever people do in whatever order: nothing is approved without every required, distinct, other person."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.decision import Refusal
from shared.policy.approvals import asking, deciding
from shared.policy.approvals.acting import Acting, Substitution
from shared.policy.approvals.approval import Approval, evolve
from shared.policy.approvals.chain import Route
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.moves import AuthorisedInEmergency, Move, Rejected, Request, StepApproved, StepHandedOver
from shared.policy.declared import Span
from tests.unit.test_approval_chains import CALENDAR, NOW

PEOPLE, ROLES = "abcdef", ("dept_head", "finance", "ceo")
SPAN = Span(amount=3, unit="working_days")
REQUEST = Request(approval_id="x", kind="purchase", requester="a")
person = st.sampled_from(PEOPLE)
SOUND = {
    "a": frozenset(ROLES),  # the requester could decide everything, were it not for the request
    "b": frozenset({"dept_head"}),
    "c": frozenset({"finance"}),
    "d": frozenset({"ceo"}),
    "e": frozenset({"manager", *ROLES}),
}
HELD = st.dictionaries(person, st.frozensets(st.sampled_from((*ROLES, "manager")), max_size=3)).map(
    lambda drawn: {name: drawn.get(name, frozenset()) | SOUND.get(name, frozenset()) for name in PEOPLE}
)
GO_ON = "a holder approves"
ACTIONS = (
    GO_ON,
    GO_ON,
    GO_ON,
    GO_ON,
    "approve",
    "reject",
    "return",
    "hand over",
    "resubmit",
    "withdraw",
    "expire",
    "look at the past",
)
Step = tuple[str, str, str, int]
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), person, person, st.integers(0, 40)), min_size=3, max_size=25)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    expiry = draw(st.sampled_from(("escalate", "lapse")))
    return Route(
        steps=tuple(draw(st.lists(st.sampled_from(ROLES), min_size=1, max_size=4))),
        versions=("test/1",),
        within=draw(st.sampled_from((SPAN, None))),
        on_expiry=expiry,
        escalate_to="coo" if expiry == "escalate" else None,
        emergency_by=("manager",),
        ratify_within=SPAN,
    )


def attempt(state: Approval | None, action: str, who: Acting, other: str, hours: int, route: Route) -> list[Decided]:
    """One person tries one thing."""
    now = NOW + timedelta(hours=hours)
    if state is None:
        if action in ("approve", "expire", "reject"):
            return asking.authorise_in_emergency(None, REQUEST, route, who, CALENDAR, now)
        return asking.submit(None, REQUEST, route, CALENDAR, now)
    step, cycle = state.step, state.cycle
    match action:
        case "approve" | "a holder approves":
            return deciding.approve(state, who, step, cycle, now)
        case "reject":
            return deciding.reject(state, who, step, cycle, now, "no")
        case "return":
            return deciding.return_to_requester(state, who, step, cycle, now, "why?")
        case "hand over":
            return deciding.hand_over(state, who, other, now + timedelta(hours=5), step, cycle, now, "away")
        case "resubmit":
            return asking.resubmit(state, who, REQUEST, route, CALENDAR, now)
        case "withdraw":
            return asking.withdraw(state, who, now)
        case "expire":
            return deciding.expire(state, now)
        case _:
            return deciding.approve(state, who, step - 1, cycle, now)


def holder(state: Approval, held: dict[str, frozenset[str]], number: int) -> str:
    """One of those who hold the role that waits, so that long chains come to their end too."""
    role = state.route.steps[min(state.step, len(state.route.steps) - 1)]
    holders = [name for name in PEOPLE if role in held[name]]
    return holders[number % len(holders)]


def play(route: Route, held: dict[str, frozenset[str]], steps: list[Step]) -> tuple[Approval | None, list[Move]]:
    """Everything that is not refused, in its order; what is refused changes nothing."""
    state: Approval | None = None
    said: list[Move] = []
    for action, drawn, other, hours in steps:
        name = holder(state, held, hours) if action == GO_ON and state is not None else drawn
        name = "e" if state is None and action == "expire" else name
        away = Substitution(role="finance", absent=other, since=NOW, until=NOW + timedelta(hours=20))
        substitutions = (away,) if "finance" in held.get(other, frozenset()) else ()
        who = Acting(person=name, roles=held.get(name, frozenset()), substitutions=substitutions)
        try:
            moves = [one.move for one in attempt(state, action, who, other, hours, route)]
        except Refusal:
            continue
        for move in moves:
            state = evolve(state, move)
        said += moves
    return state, said


@pytest.mark.policy("S0-31")
@settings(max_examples=600)
@given(routes(), HELD, STEPS)
def test_approval_needs_every_step_by_distinct_people_who_did_not_ask(
    route: Route, held: dict[str, frozenset[str]], steps: list[Step]
) -> None:
    state, said = play(route, held, steps)
    signed = [move for move in said if isinstance(move, StepApproved | Rejected)]
    assert all("a" not in move.signature.people for move in signed)
    if state is None or state.status not in ("approved", "ratified"):
        return
    assert len(state.signatures) == len(route.steps)
    people = [one for signature in state.signatures for one in signature.people]
    authorised = [move.by for move in said if isinstance(move, AuthorisedInEmergency)]
    assert len({*people, *authorised}) == len(people) + len(authorised)
    handed = {(move.by, move.to) for move in said if isinstance(move, StepHandedOver)}
    for role, signature in zip(route.steps, state.signatures, strict=True):
        owner = signature.on_behalf_of or signature.by
        assert role in held.get(owner, frozenset())
        if signature.on_behalf_of is not None:
            assert role == "finance" or (owner, signature.by) in handed


@pytest.mark.policy("S0-33")
@settings(max_examples=300)
@given(routes(), HELD, STEPS, STEPS)
def test_what_is_decided_stays_decided_and_the_state_is_the_fold_of_its_moves(
    route: Route, held: dict[str, frozenset[str]], steps: list[Step], more: list[Step]
) -> None:
    state, said = play(route, held, steps)
    folded: Approval | None = None
    for move in said:
        folded = evolve(folded, move)
    assert folded == state
    final = {"approved", "rejected", "withdrawn", "lapsed", "ratified", "violation"}
    if state is not None and state.status in final:
        later, _ = play(route, held, [*steps, *more])
        assert later == state


@settings(max_examples=300)
@given(routes(), HELD, STEPS, person, person)
def test_two_who_looked_at_the_same_step_never_both_decide_it(
    route: Route, held: dict[str, frozenset[str]], steps: list[Step], one: str, other: str
) -> None:
    state, _ = play(route, held, [("submit", "a", "a", 0), *steps])
    assert state is not None
    step, cycle = state.step, state.cycle
    succeeded = 0
    for name in (one, other):
        who = Acting(person=name, roles=held.get(name, frozenset()))
        try:
            decided = deciding.approve(state, who, step, cycle, NOW)
        except Refusal:
            continue
        succeeded += 1
        for done in decided:
            state = evolve(state, done.move)
    assert succeeded <= 1
