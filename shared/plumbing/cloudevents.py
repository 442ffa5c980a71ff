"""Reading foreign CloudEvents 1.0: structured, binary and batched, from Kafka and HTTP.

Strict where the specification is (names and types of attributes, RFC 3339 times, media types), and where a lenient
parser would guess: duplicate JSON keys, invalid UTF-8, NaN and deep nesting are refused.
Sources: CloudEvents 1.0.2 core, JSON event format, Kafka and HTTP protocol bindings.
"""

import base64
import binascii
import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

import jiter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.contracts.envelope import Moment

_MEDIA_TYPE = r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+\s*(;.*)?$"
_EXTENSION = re.compile(r"[a-z0-9]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_EXPONENT, _CAPITAL_EXPONENT = re.compile(rb"e\+?[0-9]{3}"), re.compile(rb"E\+?[0-9]{3}")
_DIGITS = b"0123456789"
_INT32 = 2**31
NonEmpty = Annotated[str, Field(min_length=1, max_length=2_000)]


class Malformed(Exception):
    """Not a CloudEvent; the message says what is wrong, without repeating values."""


class CloudEvent(BaseModel):
    """One foreign event. `data` is the decoded JSON value, or text, or None."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    specversion: Literal["1.0"]
    id: NonEmpty
    source: NonEmpty
    type: NonEmpty
    datacontenttype: Annotated[str, Field(pattern=_MEDIA_TYPE)] | None = None
    dataschema: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:.+")] | None = None
    subject: NonEmpty | None = None
    time: Moment | None = None
    timezone: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None
    data: Any = None

    @model_validator(mode="after")
    def _extensions_fit(self) -> Self:
        attributes = {**self.__dict__, **(self.model_extra or {})}
        texts = {name: value for name, value in attributes.items() if name != "data" and isinstance(value, str)}
        if not "".join(texts.values()).isprintable():
            for name, text in texts.items():
                if _CONTROL.search(text):
                    raise ValueError(f"attribute {name[:40]!r} holds a control character, which no attribute may")
        for name, value in (self.model_extra or {}).items():
            if not _EXTENSION.fullmatch(name):
                raise ValueError(f"attribute names are lower-case letters and digits, not {name[:40]!r}")
            if value is not None and not isinstance(value, str | bool | int):
                raise ValueError(f"extension {name[:40]!r} must be a string, a whole number or a boolean")
            if isinstance(value, int) and not -_INT32 <= value < _INT32:
                raise ValueError(f"extension {name[:40]!r} is outside 32 bits")
        return self


def parse_json(raw: bytes) -> Any:
    """Strict JSON. Raises Malformed for anything a lenient reader would let pass."""
    try:
        value = jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise Malformed(f"not valid JSON: {_without_values(str(error))}") from error
    # The parser refuses the word Infinity, but reads 1e999 as that.
    if _may_overflow(raw) and _is_endless(value):
        raise Malformed("not valid JSON: a number is too large")
    return value


def _may_overflow(raw: bytes) -> bool:
    """Whether there may be a number of three hundred digits in it. Every event passes here, so it is asked quickly."""
    exponents = _EXPONENT.search(raw) or _CAPITAL_EXPONENT.search(raw)
    return exponents is not None or len(raw) - len(raw.translate(None, _DIGITS)) >= 300


def _is_endless(value: Any) -> bool:
    if isinstance(value, float):
        return math.isinf(value)
    if isinstance(value, dict):
        return any(_is_endless(below) for below in value.values())
    return isinstance(value, list) and any(_is_endless(below) for below in value)


def _without_values(message: str) -> str:
    """A parser's message without the key or text it quotes, which may be personal."""
    return re.sub(r'"[^"]*"', '"…"', message)


def problems_of(error: ValidationError) -> str:
    """Where and what, without the offending values."""
    return "; ".join(
        f"{'.'.join(str(step) for step in item['loc']) or 'event'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)[:5]
    )


def read_structured(raw: bytes) -> CloudEvent:
    """An event in JSON format. Raises Malformed."""
    return read_object(parse_json(raw))


def read_object(value: Any) -> CloudEvent:
    """An event from decoded JSON. Raises Malformed."""
    if not isinstance(value, dict):
        raise Malformed("a CloudEvent is a JSON object")
    attributes = dict(value)
    if attributes.get("data_base64", "") is None:  # null says that a member is not there
        del attributes["data_base64"]
    if "data_base64" in attributes:
        if "data" in attributes:
            raise Malformed("an event has data or data_base64, not both")
        attributes["data"] = _decoded(attributes.pop("data_base64"), attributes.get("datacontenttype"))
    return _validated(attributes)


def read_batch(raw: bytes) -> list[CloudEvent]:
    """A JSON batch: all of it or nothing. Raises Malformed."""
    value = parse_json(raw)
    if not isinstance(value, list):
        raise Malformed("a CloudEvents batch is a JSON array")
    return [read_object(item) for item in value]


def read_binary(attributes: Mapping[str, str], content_type: str | None, body: bytes) -> CloudEvent:
    """An event whose attributes came as headers (already without prefix, lower case). Raises Malformed."""
    document: dict[str, Any] = dict(attributes)
    if "data" in document:
        raise Malformed("data is no attribute; in binary mode it is the body")
    if content_type:
        document["datacontenttype"] = content_type
    if body:
        document["data"] = _content(body, content_type)
    return _validated(document)


def read_kafka(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> CloudEvent:
    """A Kafka record: structured if its content type says so or it has no `ce_` headers. Raises Malformed."""
    if value is None:
        raise Malformed("the record has no value")
    texts: dict[str, str] = {}
    for name, raw in headers:
        if name.lower() == "content-type" or name.startswith("ce_"):
            if name.lower() in texts:
                raise Malformed(f"header {name[:40]} occurs twice")
            try:
                texts[name.lower()] = (raw or b"").decode()
            except UnicodeDecodeError as error:
                raise Malformed(f"header {name[:40]} is not UTF-8") from error
    content_type = texts.pop("content-type", None)
    if content_type is not None and content_type.lower().startswith("application/cloudevents"):
        _require_utf8(content_type)
        return read_structured(value)
    if "ce_specversion" in texts:
        return read_binary({name[3:]: text for name, text in texts.items()}, content_type, value)
    return read_structured(value)


def read_http(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    """The events of an HTTP request in any of the three modes. Raises Malformed."""
    content_type = headers.get("content-type", "")
    media = content_type.split(";")[0].strip().lower()
    if media.startswith("application/cloudevents"):
        _require_utf8(content_type)
    if media == "application/cloudevents-batch+json":
        return read_batch(body)
    if media.startswith("application/cloudevents"):
        return [read_structured(body)]
    attributes = {name[3:]: _header_text(text) for name, text in headers.items() if name.startswith("ce-")}
    if attributes:
        return [read_binary(attributes, content_type or None, body)]
    raise Malformed(
        "send Content-Type application/cloudevents+json, application/cloudevents-batch+json, or ce-… headers"
    )


def _header_text(text: str) -> str:
    """A header's value: quotes of older senders taken away, then decoded once (HTTP binding 3.1.3.2)."""
    quoted = _QUOTED.fullmatch(text)
    plain = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    try:
        return unquote(plain, errors="strict")
    except UnicodeDecodeError as error:
        raise Malformed("a ce- header is not percent-encoded UTF-8") from error


def _require_utf8(content_type: str) -> None:
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Malformed("only the charset utf-8 is read")


def _validated(attributes: dict[str, Any]) -> CloudEvent:
    try:
        return CloudEvent.model_validate(attributes)
    except ValidationError as error:
        raise Malformed(problems_of(error)) from error


def _content(body: bytes, content_type: str | None) -> Any:
    _require_utf8(content_type or "")
    media = (content_type or "application/json").split(";")[0].strip().lower()
    if media.endswith("json"):
        return parse_json(body)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Malformed("the data is not UTF-8 text") from error


def _decoded(text: Any, content_type: Any) -> Any:
    try:
        body = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise Malformed("data_base64 is not base64") from error
    return _content(body, content_type if isinstance(content_type, str) else None)
