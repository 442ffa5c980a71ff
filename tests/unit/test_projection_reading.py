"""What counts as poison on an event topic, and that reading never fails in another way."""

import contextlib
import json
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.configuration import definition_in_force
from services.reporting.metrics.catalogue import catalogue_of
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.customer import CustomerUpdated
from shared.contracts.survey import SurveyResponded
from shared.plumbing.reading import Reader, Unreadable
from tests.support.telling import Teller

PROJECTIONS = catalogue_of(definition_in_force(None)).projections
READER = Reader([entry.event for entry in CATALOGUE.values()], PROJECTIONS, ZoneInfo("Asia/Shanghai"))
GOOD = Teller().tell("r", SurveyResponded(response_id="r", answers=[]))


def read(change: dict[str, Any], key: bytes = b"r") -> Any:
    return READER.read(key, orjson.dumps({name: value for name, value in {**GOOD, **change}.items() if value != "-"}))


def test_a_good_event_is_read() -> None:
    heard = read({"timezone": "Europe/London", "somethingnew": 1})
    assert (heard.subject, heard.revision, heard.kind, heard.zone.key) == ("r", 1, "response", "Europe/London")
    assert isinstance(heard.said, SurveyResponded)


def test_an_event_nobody_counts_keeps_its_place_without_its_data_being_judged() -> None:
    assert read({"type": CustomerUpdated.TYPE, "data": {"nonsense": 1}}).said is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": "-"}, "id must be"),
        ({"id": ""}, "id must be"),
        ({"subject": "s" * 501}, "500 characters"),
        ({"partitionkey": "other"}, "partitionkey"),
        ({"revision": "1"}, "revision"),
        ({"revision": True}, "revision"),
        ({"revision": 0}, "revision"),
        ({"type": "manyi.survey.responded.v2"}, "unknown event type"),
        ({"timezone": "../../etc/passwd"}, "time zone"),
        ({"timezone": 1}, "timezone"),
        ({"time": "yesterday"}, "time is not"),
        ({"recordedtime": "2026-13-01T00:00:00.000Z"}, "recordedtime is not"),
        ({"recordedtime": "-"}, "recordedtime is not"),
        ({"data": []}, "data must be"),
        ({"data": {"responseId": "r", "answers": [{"question": "q"}]}}, "data: answers.0.metric"),
        ({"data": {"responseId": "r\u0000", "answers": []}}, "NUL"),
    ],
)
def test_poison_has_a_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(change)


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b"\xff", b'{"id":"1","id":"2"}', b'{"a":NaN}', b'"\\ud800"', b"[" * 9_999, b"{}" + b"{}"],
)
def test_what_is_no_json_object_is_poison(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        READER.read(b"r", value)


def test_a_reason_quotes_no_values() -> None:
    with pytest.raises(Unreadable) as refused:
        read({"data": {"responseId": "r", "answers": [{"question": "q", "metric": "13800138000", "value": "secret"}]}})
    assert "13800138000" not in str(refused.value)
    assert "secret" not in str(refused.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(GOOD)), anything)
def test_any_value_anywhere_is_read_or_refused(attribute: str, value: Any) -> None:
    raw = orjson.dumps({**GOOD, attribute: value})
    with contextlib.suppress(Unreadable):
        assert READER.read(b"r", raw).subject


@given(st.sampled_from(sorted(GOOD)), anything, st.booleans())
def test_how_json_is_written_makes_no_difference(attribute: str, value: Any, known: bool) -> None:
    """As we write it ourselves, and as somebody else might."""
    event = {**GOOD, attribute: value} if known else {**GOOD, "data": {**GOOD["data"], "more": value}}
    ours = orjson.dumps(event)
    event = orjson.loads(ours)  # without the numbers that JSON does not have
    outcomes: list[Any] = []
    for raw in (ours, json.dumps(event).encode(), json.dumps(event, indent=1).encode()):
        try:
            outcomes.append(READER.read(b"r", raw))
        except Unreadable as why:
            outcomes.append(str(why))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("twice", ['"id":"e",', '"data":{},', '"data":{"answers":[],"answers":[]},'])
def test_a_key_that_stands_twice_is_refused(twice: str) -> None:
    raw = orjson.dumps(GOOD).decode()
    with pytest.raises(Unreadable, match="JSON"):
        READER.read(b"r", raw.replace("{", "{" + twice, 1).encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        READER.read(b"r", raw)
