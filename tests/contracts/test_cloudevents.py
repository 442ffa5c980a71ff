"""Foreign CloudEvents: the conformance samples, the examples of the Kafka and HTTP bindings, and hostile input."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.plumbing.cloudevents import (
    CloudEvent,
    Malformed,
    parse_json,
    read_batch,
    read_http,
    read_kafka,
    read_structured,
)

SAMPLES = Path(__file__).parent / "cloudevents"
TIMED = "2018-04-05T03:56:24Z"
ATTRIBUTES = {
    "id": "1234-1234-1234",
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext/subcontext",
    "time": TIMED,
}
BODY = b'{"message": "Hello World!"}'
STRUCTURED = json.dumps({**ATTRIBUTES, "datacontenttype": "application/json", "data": json.loads(BODY)}).encode()


def samples(name: str, content: str) -> list[Any]:
    """The cases of one conformance file, each under its own id."""
    cases = json.loads((SAMPLES / name).read_text())["tests"]
    return [pytest.param(case[content], id=case["id"]) for case in cases]


def changed(**more: Any) -> bytes:
    return json.dumps({**ATTRIBUTES, **more}).encode()


def said_by(event: CloudEvent) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude_none=True)


EXPECTED = {
    **ATTRIBUTES,
    "time": "2018-04-05T03:56:24.000Z",
    "datacontenttype": "application/json",
    "data": {"message": "Hello World!"},
}


def test_the_samples_are_all_there() -> None:
    counts = [len(samples(f"{name}.json", what)) for name, what in FILES]
    assert counts == [10, 25, 5, 3]


FILES = (
    ("valid-events", "event"),
    ("invalid-events", "event"),
    ("valid-batches", "batch"),
    ("invalid-batches", "batch"),
)


@pytest.mark.parametrize("event", samples("valid-events.json", "event"))
def test_valid_events_are_read(event: dict[str, Any]) -> None:
    told = read_structured(json.dumps(event).encode())
    assert (told.id, told.type, told.source) == (event["id"], event["type"], event["source"])


@pytest.mark.parametrize("event", samples("invalid-events.json", "event"))
def test_invalid_events_are_refused(event: Any) -> None:
    with pytest.raises(Malformed):
        read_structured(json.dumps(event).encode())


@pytest.mark.parametrize("batch", samples("valid-batches.json", "batch"))
def test_valid_batches_are_read(batch: list[Any]) -> None:
    assert len(read_batch(json.dumps(batch).encode())) == len(batch)


@pytest.mark.parametrize("batch", samples("invalid-batches.json", "batch"))
def test_invalid_batches_are_refused(batch: Any) -> None:
    with pytest.raises(Malformed):
        read_batch(json.dumps(batch).encode())


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_binary_mode_over_kafka_and_http(content_type: str) -> None:
    over_kafka = [(f"ce_{name}", value.encode()) for name, value in ATTRIBUTES.items()]
    kafka = read_kafka([*over_kafka, ("content-type", content_type.encode())], BODY)
    headers = {f"ce-{name}": value for name, value in ATTRIBUTES.items()}
    [http] = read_http({**headers, "content-type": content_type, "content-length": "33"}, BODY)
    assert said_by(kafka) == said_by(http) == {**EXPECTED, "datacontenttype": content_type}


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+json", "application/cloudevents+json; charset=utf-8", None]
)
def test_structured_mode_over_kafka(content_type: str | None) -> None:
    headers = [("content-type", content_type.encode())] if content_type else []
    assert said_by(read_kafka(headers, STRUCTURED)) == EXPECTED


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+json", "application/cloudevents+json; charset=UTF-8"]
)
def test_structured_and_batched_mode_over_http(content_type: str) -> None:
    assert [said_by(event) for event in read_http({"content-type": content_type}, STRUCTURED)] == [EXPECTED]
    batched = {"content-type": content_type.replace("cloudevents+", "cloudevents-batch+")}
    twice = read_http(batched, b"[" + STRUCTURED + b"," + STRUCTURED + b"]")
    assert [said_by(event) for event in twice] == [EXPECTED, EXPECTED]


def test_http_headers_are_unquoted_and_decoded_once() -> None:
    told = {"type": '"with \\"quotes\\""', "source": "Euro%20%E2%82%AC%20%F0%9F%98%80", "subject": "a%2541"}
    [event] = read_http({f"ce-{name}": value for name, value in {**ATTRIBUTES, **told}.items()}, b"")
    assert (event.type, event.source, event.subject) == ('with "quotes"', "Euro € 😀", "a%41")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({"content-type": "application/json"}, BODY, id="no CloudEvents headers"),
        pytest.param({"content-type": "application/cloudevents+avro"}, b"\x00\x01", id="another event format"),
        pytest.param({"content-type": "application/cloudevents+json; charset=utf-16"}, STRUCTURED, id="other charset"),
        pytest.param({**{f"ce-{n}": v for n, v in ATTRIBUTES.items()}, "ce-subject": "%ff"}, b"", id="percent-encoded"),
        pytest.param({**{f"ce-{n}": v for n, v in ATTRIBUTES.items()}, "ce-data": "x"}, b"", id="data as attribute"),
        pytest.param(
            {**{f"ce-{n}": v for n, v in ATTRIBUTES.items()}, "content-type": "application/json; charset=latin-1"},
            BODY,
            id="data in another charset",
        ),
    ],
)
def test_what_http_must_not_carry(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Malformed):
        read_http(headers, body)


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        pytest.param([], None, id="tombstone"),
        pytest.param([("ce_id", b"\xff")], STRUCTURED, id="header not UTF-8"),
        pytest.param([("ce_id", b"a"), ("ce_id", b"b")], STRUCTURED, id="header twice"),
        pytest.param([("content-type", b"application/cloudevents-batch+json")], b"[]", id="batch on Kafka"),
    ],
)
def test_what_kafka_must_not_carry(headers: list[tuple[str, bytes | None]], value: bytes | None) -> None:
    with pytest.raises(Malformed):
        read_kafka(headers, value)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"42", id="a number"),
        pytest.param(b"\xef\xbb\xbf" + STRUCTURED, id="byte order mark"),
        pytest.param(STRUCTURED + b" {}", id="something behind it"),
        pytest.param(STRUCTURED.replace(b"{", b'{"id": "other", ', 1), id="duplicate key"),
        pytest.param(changed(data={}).replace(b"{}", b'{"a": 1, "a": 2}'), id="duplicate key inside data"),
        pytest.param(changed(subject="?").replace(b"?", b"\xff"), id="invalid UTF-8 inside a string"),
        pytest.param(changed(subject="?").replace(b"?", b"\xed\xa0\x80"), id="encoded surrogate"),
        pytest.param(changed(subject="?").replace(b"?", b"\\ud800"), id="lone surrogate"),
        pytest.param(changed(data="?").replace(b'"?"', b"NaN"), id="NaN"),
        pytest.param(changed(data="?").replace(b'"?"', b"-Infinity"), id="Infinity"),
        pytest.param(changed(data="?").replace(b'"?"', b"1e999"), id="1e999"),
        pytest.param(changed(data="?").replace(b'"?"', b'[{"a": -1E+0400}]'), id="a large exponent, deep"),
        pytest.param(changed(data="?").replace(b'"?"', b"1" * 400 + b".5"), id="a long fraction"),
        pytest.param(changed(data="?").replace(b'"?"', b"9" * 5_000), id="a number of 5,000 digits"),
        pytest.param(changed(data="?").replace(b'"?"', b"[" * 5_000 + b"]" * 5_000), id="deep nesting"),
        pytest.param(changed(data="?").replace(b'"?"', b'{"a":' * 5_000 + b"1" + b"}" * 5_000), id="deep objects"),
        pytest.param(changed(number=2**31), id="extension beyond 32 bits"),
        pytest.param(changed(nested={}), id="extension that is an object"),
        pytest.param(changed(id="a\x00b"), id="NUL in an attribute"),
        pytest.param(changed(strange="a\x1fb"), id="control character in an extension"),
        pytest.param(changed(time="2018-04-05T23:59:61Z"), id="second 61"),
        pytest.param(changed(time="0001-01-01T00:00:00+14:00"), id="before year 1"),
        pytest.param(changed(data_base64="!"), id="not base64"),
        pytest.param(changed(data_base64="AP8=", datacontenttype="text/plain"), id="base64 of no text"),
    ],
)
def test_hostile_input_is_refused_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read_structured(raw)
    assert 5 < len(str(refused.value)) < 500


def test_a_refusal_repeats_no_value() -> None:
    secret = "canary-7319"
    for raw in (
        changed(time=secret),
        changed(specversion=secret),
        b'{"%s": 1, "%s": 2}' % (secret.encode(), secret.encode()),
        changed(data_base64=secret + "!"),
    ):
        with pytest.raises(Malformed) as refused:
            read_structured(raw)
        assert secret not in str(refused.value)


def test_large_numbers_within_reach_and_nulls_are_read() -> None:
    assert parse_json(b'[1e308, 123456789012345678901234567890, "1e999", 1e-999]')[1] == 123456789012345678901234567890
    event = read_structured(changed(subject=None, data_base64=None, data={"a": None}, anything=None))
    assert (event.subject, event.data) == (None, {"a": None})


def test_base64_data_is_decoded_by_its_content_type() -> None:
    assert read_structured(changed(data_base64="eyAieHl6IjogMTIzIH0=")).data == {"xyz": 123}
    assert read_structured(changed(data_base64="aGk=", datacontenttype="text/plain")).data == "hi"
