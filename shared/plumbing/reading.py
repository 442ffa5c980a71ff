"""Reading our own events from a topic: one record in, one event or one reason out.

Everything on a topic is distrusted, also what looks like ours: a record is poison unless it is strict JSON, an
envelope, of a known type, under its own partition key, and its `data` fits the contract (where anybody uses it).
The envelope is checked by hand: this runs for every record of every replay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import orjson
from jiter import from_json
from pydantic import ValidationError

from shared.contracts.envelope import Event, parse_moment
from shared.plumbing.cloudevents import Malformed, parse_json, problems_of
from shared.plumbing.projection import Heard, Projection, Unfit, zone_named

LONGEST_NAME = 500
"""Characters of an id or subject: they become keys in the database."""
HIGHEST_REVISION = 2**53


class Letter(Protocol):
    """A record as it came from a topic."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Unreadable(Exception):
    """A poison record; the message says why and quotes no values."""


@dataclass(frozen=True)
class Known:
    """A type that may occur: what its subject is, and its class when a projection uses it."""

    kind: str
    data: type[Event] | None


class Reader:
    """Reads records into events."""

    def __init__(self, types: Iterable[type[Event]], projections: Iterable[Projection], zone: ZoneInfo) -> None:
        """`types` are all that may occur on the topics, `zone` the installation's."""
        used = frozenset().union(*[projection.hears for projection in projections])
        self._known: Mapping[str, Known] = {
            event.TYPE: Known(event.SUBJECT, event if event in used else None) for event in types
        }
        self._zone = zone

    def read(self, key: bytes | None, value: bytes | None) -> Heard:
        """The event of one record. Raises Unreadable."""
        if value is None:
            raise Unreadable("the record has no value")
        told = _parsed(value)
        if type(told) is not dict:
            raise Unreadable("an event is a JSON object")
        if b"\\u0000" in value and _has_nul(told):
            raise Unreadable("a text holds a NUL character, which no key in the database may")
        return self._heard(told, key)

    def _heard(self, told: dict[str, Any], key: bytes | None) -> Heard:
        if told.get("specversion") != "1.0":
            raise Unreadable("not a CloudEvent of specversion 1.0")
        event_id, wire_type, subject = _name(told, "id"), _name(told, "type"), _name(told, "subject")
        _name(told, "source")
        if key != _name(told, "partitionkey").encode():
            raise Unreadable("the record's key is not the event's partitionkey")
        revision = told.get("revision")
        if type(revision) is not int or not 1 <= revision <= HIGHEST_REVISION:
            raise Unreadable("revision must be a whole number from 1 on")
        known = self._known.get(wire_type)
        if known is None:
            raise Unreadable("unknown event type or version")
        zone_name = told.get("timezone")
        zone = self._zone
        if zone_name is not None:
            if type(zone_name) is not str:
                raise Unreadable("timezone must be a text")
            try:
                zone = zone_named(zone_name)
            except Unfit as error:
                raise Unreadable(str(error)) from error
        content = told.get("data")
        if type(content) is not dict:
            raise Unreadable("data must be a JSON object")
        said = None
        if known.data is not None:
            try:
                said = known.data.model_validate(content)
            except ValidationError as error:
                raise Unreadable(f"data: {problems_of(error)}") from error
        return Heard(
            event_id,
            wire_type,
            known.kind,
            subject,
            revision,
            _moment(told, "time"),
            _moment(told, "recordedtime"),
            zone,
            said,
        )


def _parsed(value: bytes) -> Any:
    """The JSON value. Numbers beyond every range are not looked for here: no contract takes them."""
    try:
        # Most records are as we write them. One that is written again to the byte has no key twice, and no number that
        # would be read as another: reading and writing it takes half as long as looking for equal keys.
        told = orjson.loads(value)
        if orjson.dumps(told) == value:
            return told
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    try:
        return from_json(value, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError:
        try:
            return parse_json(value)
        except Malformed as error:
            raise Unreadable(str(error)) from error


def _name(told: dict[str, Any], attribute: str) -> str:
    value = told.get(attribute)
    if type(value) is not str or not value:
        raise Unreadable(f"{attribute} must be a text that is not empty")
    if len(value) > LONGEST_NAME:
        raise Unreadable(f"{attribute} has more than {LONGEST_NAME} characters")
    return value


def _moment(told: dict[str, Any], attribute: str) -> datetime:
    value = told.get(attribute)
    # The form we write ourselves, 2026-11-23T09:00:00.000Z, needs no more than the standard library.
    if type(value) is str and len(value) == 24 and value[23] == "Z" and value[10] == "T" and value[19] == ".":
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise Unreadable(f"{attribute} is not an RFC 3339 time") from error
    try:
        return parse_moment(value).astimezone(UTC)
    except ValueError as error:
        raise Unreadable(f"{attribute} is not an RFC 3339 time") from error


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or _has_nul(below) for key, below in value.items())
    if isinstance(value, list):
        return any(_has_nul(below) for below in value)
    return False
