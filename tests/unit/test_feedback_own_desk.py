"""The workflow of our own desk: what follows what, and how a clerk is told that it does not."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.feedback.model import own_desk as desk
from services.feedback.model.case import Case, evolve
from services.feedback.model.opening import CaseUnknown, Opening, open_case
from shared.contracts import feedback as said
from shared.contracts.decision import Refusal, Said

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
Rule = Callable[[Case | None, datetime, str], Sequence[Said]]
WORDS = {"w1": {"kind": "solution", "text": "更换主板"}}


def assign(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.assign(state, at, by, "u-2")


def answer(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.respond(state, at, by, True, {"w0": {"kind": "reply", "text": "您好"}})


def answer_by_machine(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.respond(state, at, by, False, {"w9": {"kind": "reply", "text": "已收到"}})


def pause(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.pause(state, at, by, "waiting_customer")


def resolve(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.resolve(state, at, by, "replaced", True, WORDS)


def resolve_in_silence(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.resolve(state, at, by, None, False, WORDS)


def reopen(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.reopen(state, at, by, "not_fixed", {})


def close(state: Case | None, at: datetime, by: str) -> list[Said]:
    return desk.close(state, at, by, None)


def after(*rules: Rule) -> tuple[Case, list[Said]]:
    """A case after these steps, an hour apart, and what was said."""
    opening = Opening(
        case_id="c", source="manyi", external_id="1", at=START, priority="2", product="X1", channel="phone", text="坏了"
    )
    state: Case | None = None
    journal: list[Said] = []
    sentences: Sequence[Said] = open_case(None, opening)
    for hours, rule in enumerate([*rules, None], start=1):
        for sentence in sentences:
            state = evolve(state, sentence.event, sentence.private)
            journal.append(sentence)
        sentences = rule(state, START + timedelta(hours=hours), "u-1") if rule is not None else []
    assert state is not None
    return state, journal


def test_a_case_runs_from_opening_to_closing_and_once_more() -> None:
    case, journal = after(
        desk.acknowledge, assign, answer, pause, desk.resume, resolve, close, reopen, desk.acknowledge, resolve, close
    )
    assert [type(sentence.event).__name__ for sentence in journal] == [
        "ComplaintOpened",
        "CaseAcknowledged",
        "CaseAssigned",
        "CaseResponded",
        "CasePaused",
        "CaseResumed",
        "CaseResolved",
        "CaseClosed",
        "CaseReopened",
        "CaseAcknowledged",
        "CaseResolved",
        "CaseClosed",
    ]
    assert case.status == "closed"
    assert [cycle.number for cycle in case.cycles] == [1, 2]
    closed = case.cycle(1).closed
    assert closed is not None
    assert (closed.priority, closed.outcome) == ("2", "replaced")


def test_every_word_is_kept_and_none_is_said() -> None:
    case, journal = after(desk.acknowledge, answer, resolve)
    assert [words.text for words in case.words.values()] == ["坏了", "您好", "更换主板"]
    public = json.dumps([sentence.event.model_dump(mode="json") for sentence in journal], ensure_ascii=False)
    assert not any(words.text in public for words in case.words.values())


def test_an_opening_carries_its_dimensions() -> None:
    _, journal = after()
    event = journal[0].event
    assert isinstance(event, said.ComplaintOpened)
    assert event.dims == {"product_line": "X1", "channel": "phone", "priority": "2", "source": "manyi"}


def test_the_first_answer_by_a_person_counts() -> None:
    responded = after(answer_by_machine, answer, answer)[0].cycle(1).responded
    assert responded is not None
    assert (responded.human, responded.at) == (True, START + timedelta(hours=2))


@pytest.mark.parametrize(
    ("steps", "rule", "refusal"),
    [
        ((), assign, desk.CaseNotAcknowledged),
        ((), resolve, desk.CaseNotAcknowledged),
        ((), close, desk.CaseNotResolved),
        ((), reopen, desk.CaseNotResolved),
        ((), desk.resume, desk.CaseNotPaused),
        ((desk.acknowledge,), desk.acknowledge, desk.CaseAlreadyAcknowledged),
        ((desk.acknowledge,), desk.resume, desk.CaseNotPaused),
        ((desk.acknowledge,), resolve_in_silence, desk.CustomerNotInformed),
        ((desk.acknowledge, pause), pause, desk.CaseWaits),
        ((desk.acknowledge, pause), resolve, desk.CaseWaits),
        ((desk.acknowledge, resolve), resolve, desk.CaseAlreadyResolved),
        ((desk.acknowledge, resolve), assign, desk.CaseAlreadyResolved),
        ((desk.acknowledge, resolve, close), close, desk.CaseClosedAlready),
        ((desk.acknowledge, resolve, close), answer, desk.CaseClosedAlready),
        ((desk.acknowledge, resolve, close), desk.acknowledge, desk.CaseClosedAlready),
    ],
)
def test_what_does_not_follow_is_refused_with_what_to_do(
    steps: tuple[Rule, ...], rule: Rule, refusal: type[Refusal]
) -> None:
    case, _ = after(*steps)
    with pytest.raises(refusal) as refused:
        rule(case, START + timedelta(days=1), "u-1")
    assert len(str(refused.value)) > 30
    assert refusal.SLUG != Refusal.SLUG


def test_there_must_be_a_case_and_it_must_be_ours() -> None:
    with pytest.raises(CaseUnknown):
        desk.acknowledge(None, START, "u-1")
    case, _ = after()
    with pytest.raises(desk.CaseRunOutside):
        desk.acknowledge(case.model_copy(update={"desk": "outside"}), START, "u-1")
