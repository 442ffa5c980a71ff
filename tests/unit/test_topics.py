"""The plan of topics is part of the contract between services: names, partitions, how long records stay."""

import pytest

from deploy.local.topics import DAY_MS, difference, journaled_topics, plan, plan_from_environment
from deploy.local.trouble import CannotContinue
from shared.contracts.catalogue import INTAKE_DAYS, QUARANTINE_DAYS


def test_the_plan() -> None:
    topics = {topic.name: topic for topic in plan()}
    assert sorted(topics) == [
        "manyi-customer-events",
        "manyi-customer-intake",
        "manyi-dead-letters",
        "manyi-feedback-events",
        "manyi-feedback-intake",
        "manyi-reporting-events",
        "manyi-survey-events",
        "manyi-survey-intake",
        "manyi-watermarks",
    ]
    assert {topic.partitions for name, topic in topics.items() if name.endswith(("-events", "-intake"))} == {12}
    assert topics["manyi-customer-events"].settings["retention.ms"] == "-1"
    assert topics["manyi-customer-intake"].settings["retention.ms"] == str(INTAKE_DAYS * DAY_MS)
    assert topics["manyi-dead-letters"].settings["retention.ms"] == str(QUARANTINE_DAYS * DAY_MS)
    assert topics["manyi-watermarks"].settings == {"cleanup.policy": "compact"}


def test_what_is_promised_of_events_goes_with_them() -> None:
    """A watermark of before, heard late, would call days final while their events are still being said again."""
    assert [topic.name for topic in journaled_topics(plan())] == [
        "manyi-customer-events",
        "manyi-survey-events",
        "manyi-feedback-events",
        "manyi-reporting-events",
        "manyi-watermarks",
    ]


def test_the_environment_chooses_prefix_and_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYI_TOPIC_PREFIX", "acme-")
    monkeypatch.setenv("MANYI_PARTITIONS", "3")
    topics = plan_from_environment()
    assert all(topic.name.startswith("acme-") for topic in topics)
    assert topics[0].partitions == 3


@pytest.mark.parametrize("nonsense", ["0", "-1", "many", ""])
def test_nonsense_partitions_are_refused(monkeypatch: pytest.MonkeyPatch, nonsense: str) -> None:
    monkeypatch.setenv("MANYI_PARTITIONS", nonsense)
    with pytest.raises(CannotContinue, match="MANYI_PARTITIONS must be a number"):
        plan_from_environment()


def test_another_partition_count_is_said_with_the_remedy() -> None:
    sentence = difference(plan(), {"manyi-customer-events": 6, "manyi-survey-events": 12, "manyi-feedback-events": 6})
    assert sentence
    assert sentence.startswith("Topic manyi-customer-events and 1 more has 6 partitions and 12 are wanted")
    assert sentence.endswith("so set MANYI_PARTITIONS=6, or run `manyi repartition --partitions 12`.")
    assert difference(plan(), {"manyi-survey-events": 12}) is None


def test_intake_may_have_any_number_of_partitions() -> None:
    assert difference(plan(), {"manyi-survey-intake": 6}) is None
