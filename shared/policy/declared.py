"""What every file of policy data is made of. Pure; reads no file."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=100)]
"""Name of a setting: words from wide to narrow, such as `gift.limit.manager`."""
Clause = Annotated[str, Field(pattern=r"^(S[0-4]-\d{2}|Q\d{1,2}|[DE]\d{1,2})$")]
"""Where a setting comes from: a row (S0-31), a settled ambiguity (Q11), a metric (D16) or a part of the domain (E5)."""
Role = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
"""A role, never a person."""
Sentence = Annotated[str, Field(min_length=1, max_length=600)]
SpanUnit = Literal["minutes", "hours", "business_minutes", "calendar_days", "working_days", "months", "years"]
"""How a span is counted: minutes and hours on the wall clock, the rest by the business calendar (Q1)."""


class Declared(BaseModel):
    """Base of what a file declares: unknown fields are refused, so that a misspelt limit is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(Declared):
    """A length of time as a policy states it: three working days, seven days, two hours."""

    amount: Annotated[int, Field(ge=0, le=1_000_000)]
    unit: SpanUnit

    @property
    def months(self) -> int:
        """How many months a span of months or years has."""
        return self.amount * (12 if self.unit == "years" else 1)
