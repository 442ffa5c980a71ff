"""The policy of bad answers: what the pack says, and what it may not say."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from services.feedback.main import PACKS
from services.feedback.model.case import Case
from services.feedback.reactions.open_case_when_score_is_low import reacting
from shared.contracts import feedback as said
from shared.contracts.decision import Scene
from shared.contracts.envelope import Envelope
from shared.contracts.survey import Answer, SurveyResponded
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Task
from shared.plumbing.reacting import Told
from shared.policy.low_score import LowScore
from tests.support.deadlines import deadlines

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RULE = {"metric": "csat", "scale": [1, 5], "at_most": 2}


def pack() -> LowScore:
    return LowScore.model_validate(yaml.safe_load((PACKS / "low-score.yaml").read_text()))


def answer(metric: Any, value: int, scale: tuple[int, int]) -> Answer:
    return Answer(question="q", metric=metric, value=value, scale=scale)


@pytest.mark.parametrize(
    ("metric", "scale", "highest_low"),
    [
        ("csat", (1, 5), 2),
        ("csat", (1, 10), 3),
        ("csat", (1, 3), 1),
        ("nps", (0, 10), 3),
        ("ces", (1, 7), 2),
        ("ces", (1, 5), 1),
        ("rating", (1, 5), 2),
        ("csat", (-2, 2), -1),
    ],
)
def test_where_bad_ends(metric: str, scale: tuple[int, int], highest_low: int) -> None:
    version = pack().in_force(NOW.date())
    assert version is not None
    low = [value for value in range(scale[0], scale[1] + 1) if version.is_low([answer(metric, value, scale)])]
    assert low == list(range(scale[0], highest_low + 1))


def test_one_bad_answer_among_good_ones_is_enough_and_none_is_not() -> None:
    version = pack().in_force(NOW.date())
    assert version is not None
    assert version.is_low([answer("csat", 5, (1, 5)), answer("nps", 3, (0, 10))])
    assert not version.is_low([])


def test_the_version_in_force_is_the_last_one_begun() -> None:
    versions = [
        {"version": name, "effective_from": day, "rules": [RULE]}
        for name, day in (("b", "2026-06-01"), ("a", "2026-01-01"))
    ]
    policy = LowScore.model_validate({"policy": "low-score", "versions": versions})
    found = [policy.in_force(date(2026, month, 1)) for month in (5, 6)]
    assert [one.version if one else None for one in found] == ["a", "b"]
    assert policy.in_force(date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    "rule",
    [
        {"metric": "csat"},
        {"metric": "csat", "scale": [1, 5]},
        {"metric": "csat", "scale": [1, 5], "at_most": 5},
        {"metric": "csat", "scale": [1, 5], "at_most": 2, "lowest_percent": 25},
        {"metric": "csat", "lowest_percent": 101},
        {"metric": "mood", "lowest_percent": 10},
        {"metric": "csat", "lowest_percent": 10, "severity": 1},
    ],
)
def test_an_unsound_rule_is_refused_at_load(rule: dict[str, Any]) -> None:
    versions = [{"version": "a", "effective_from": "2026-01-01", "rules": [rule]}]
    with pytest.raises(ValidationError):
        LowScore.model_validate({"policy": "low-score", "versions": versions})


def test_two_versions_of_one_day_are_refused() -> None:
    versions = [{"version": name, "effective_from": "2026-01-01", "rules": [RULE]} for name in "ab"]
    with pytest.raises(ValidationError):
        LowScore.model_validate({"policy": "low-score", "versions": versions})


def responded(value: int) -> Told:
    event = SurveyResponded(
        response_id="r1",
        customer_id="k1",
        product_line="X1",
        answers=[answer("nps", value, (0, 10))],
        dims={"region": "华东", "source": "olist"},
    )
    envelope = Envelope(
        id="e1",
        source="manyi/survey",
        type=SurveyResponded.TYPE,
        subject="r1",
        time=NOW,
        recordedtime=NOW,
        partitionkey="k1",
        revision=1,
        data={},
    )
    return Told(envelope, event)


def test_a_bad_answer_opens_a_case_that_carries_where_it_came_from() -> None:
    reaction = reacting(pack(), Identity(bytes(32)), deadlines())
    assert reaction.react(responded(4), NOW) is None
    task = reaction.react(responded(3), NOW)
    assert isinstance(task, Task)
    (sentence,) = task.decide(None, Scene(NOW))
    event = sentence.event
    assert isinstance(event, said.ComplaintOpened)
    assert set(event.targets) == {"acknowledge", "respond", "resolve"}
    assert (event.case_id, event.customer_id, event.source_response_id) == (task.subject, "k1", "r1")
    assert event.loop_id is not None
    assert event.dims == {
        "region": "华东",
        "source": "olist",
        "channel": "survey",
        "category": "low_score",
        "product_line": "X1",
    }
    assert sentence.policy_version == "low-score/1"
    existing = task.aggregate.evolve(None, event, sentence.private)
    assert isinstance(existing, Case)
    assert task.decide(existing, Scene(NOW)) == []
