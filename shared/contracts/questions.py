"""Questions as data: what may be asked, on which scale, with which weight. Shared by intake, HTTP and events."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from shared.contracts.envelope import Code

Metric = Literal["csat", "nps", "ces", "rating"]
"""What a scored answer measures; NPS is only what is tagged so, never any 0–10 question (METRICS D2)."""
Scale = tuple[int, int]


class Question(BaseModel):
    """One question. `scored` ones (csat, nps, ces, rating) need a scale; `weight` counts in the index of METRICS D3.

    Part of events, so unknown fields are ignored here: adding one keeps `.v1`. The door where questions come in
    refuses them.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
    question: Code
    kind: Literal["csat", "nps", "ces", "rating", "choice", "comment"]
    text: dict[Literal["zh", "en"], Annotated[str, Field(min_length=1, max_length=2_000)]] = {}
    factor: Code | None = None
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    scale: Scale | None = None
    choices: list[Code] = []
    required: bool = False

    @model_validator(mode="after")
    def _scale_fits_kind(self) -> Self:
        if self.kind in ("choice", "comment"):
            if self.scale is not None:
                raise ValueError(f"a {self.kind} question has no scale")
            if self.kind == "choice" and not self.choices:
                raise ValueError("a choice question needs its choices")
            return self
        if self.scale is None:
            raise ValueError(f"a {self.kind} question needs a scale, such as [1, 5]")
        low, high = self.scale
        if not -100 <= low < high <= 100:
            raise ValueError("a scale runs from a lower to a higher whole number within -100..100")
        if self.kind == "nps" and self.scale != (0, 10):
            raise ValueError("an NPS question has the scale [0, 10] (METRICS D2)")
        return self
