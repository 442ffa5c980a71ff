"""CloudEvents 1.0 envelope and the base of every Manyi event (ARCHITECTURE §3).

Times are instants in UTC with millisecond precision (what MongoDB keeps), written as RFC 3339 strings ending in `Z`.
Source: CloudEvents 1.0.2 specification; RFC 3339.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")


def parse_moment(value: object) -> datetime:
    """Read an RFC 3339 instant; the result is in UTC.

    Digits past the millisecond are cut off. Raises ValueError for anything else, naming the expected form.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        moment = value
    elif isinstance(value, str) and _RFC3339.fullmatch(value):
        moment = datetime.fromisoformat(value.upper())
    else:
        raise ValueError("expected an RFC 3339 time with an offset, such as 2026-11-23T09:00:00+08:00")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time lies outside the years 1 to 9999") from error
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def moment_text(value: datetime) -> str:
    """Write an instant as RFC 3339 in UTC (`Z`)."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[AwareDatetime, BeforeValidator(parse_moment), PlainSerializer(moment_text, when_used="json")]
Code = Annotated[str, Field(min_length=1, max_length=200)]
Dims = dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Annotated[str, Field(max_length=200)]]
"""Dimension name → value as it was when the fact happened (grade, region, source, …); never personal data."""
Minor = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""An amount of money in minor currency units (cents, 分), exact."""
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Event(BaseModel):
    """Base of the `data` of every event we say. Unknown fields are ignored: adding a field keeps `.v1` (§3)."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
    TYPE: ClassVar[str]
    """Wire type, written here and never derived."""
    SUBJECT: ClassVar[str]
    """What the event is about: customer, response, campaign, questionnaire or case."""


class Envelope(BaseModel):
    """One event as it stands on a topic, its `data` still a plain mapping.

    `time` is when it occurred, `recordedtime` when it was committed (never earlier than the subject's last),
    `revision` counts the subject's events from 1 without gaps, `timezone` (IANA) names the zone whose calendar
    day the occurrence counts on; absent means the installation's zone.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    specversion: Annotated[str, Field(pattern=r"^1\.0$")] = "1.0"
    id: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1)]
    time: Moment
    datacontenttype: str = "application/json"
    recordedtime: Moment
    partitionkey: Annotated[str, Field(min_length=1)]
    revision: Annotated[int, Field(ge=1, strict=True)]
    timezone: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    actor: str | None = None
    policyversion: str | None = None
    traceparent: str | None = None
    data: dict[str, Any]
