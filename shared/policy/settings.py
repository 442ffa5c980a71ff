"""Settings of a policy pack: a key, its value or null, its unit, the clauses it comes from, a note in two languages."""

import re
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, field_validator

from shared.policy.approvals.chain import Chain
from shared.policy.calendar.company import CompanyCalendar
from shared.policy.declared import Clause, Declared, Key, Role, Sentence, SpanUnit

Amount = Annotated[StrictInt, Field(ge=0, le=2**53)]


class Described(Declared):
    """What every setting says of itself. `origin`: the policy's own words, or our default where it is silent."""

    key: Key
    clauses: Annotated[tuple[Clause, ...], Field(min_length=1)]
    origin: Literal["policy", "default"] = "policy"
    zh: Sentence
    en: Sentence


class Length(Described):
    """A deadline, a period or an age."""

    unit: SpanUnit
    value: Amount | None


class Number(Described):
    """A count, a share in percent, points of a score, or an amount in minor currency units (分)."""

    unit: Literal["count", "percent", "points", "minor"]
    value: Amount | None


class Flag(Described):
    """Yes or no."""

    unit: Literal["flag"]
    value: StrictBool | None


class Word(Described):
    """One word: a role, a choice among known ones, or a template with named fields."""

    unit: Literal["role", "choice", "template"]
    value: Annotated[str, Field(min_length=1, max_length=200)] | None


class Names(Described):
    """A list of codes, in order."""

    unit: Literal["names"]
    value: tuple[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], ...] | None


class Roles(Described):
    """A list of roles, in order."""

    unit: Literal["roles"]
    value: tuple[Role, ...] | None


class Patterns(Described):
    """Name → regular expression that a whole value must match."""

    unit: Literal["patterns"]
    value: dict[Role, str] | None

    @field_validator("value")
    @classmethod
    def _compile(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for name, pattern in (value or {}).items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{name} is no regular expression: {error}") from error
        return value


class Titles(Described):
    """Title in the company's own words → role (or duty → role)."""

    unit: Literal["titles"]
    value: dict[Annotated[str, Field(min_length=1, max_length=60)], Role] | None


class Table(Described):
    """Code → number, in the unit named by `of`; null leaves one row unset."""

    unit: Literal["table"]
    of: Literal["count", "percent", "points", "minor"] | SpanUnit
    value: dict[Annotated[str, Field(min_length=1, max_length=60)], Amount | None] | None


class Steps(Described):
    """An approval chain."""

    unit: Literal["chain"]
    value: Chain | None


class WorkingTime(Described):
    """A business calendar."""

    unit: Literal["calendar"]
    value: CompanyCalendar | None


Setting = Annotated[
    Length | Number | Flag | Word | Names | Roles | Patterns | Titles | Table | Steps | WorkingTime,
    Field(discriminator="unit"),
]
