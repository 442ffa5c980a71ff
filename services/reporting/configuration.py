"""Definitions and dimensions as the two YAML files beside this one say them; checked when read."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from shared.plumbing.cells import Cuts

HERE = Path(__file__).parent


class Definition(BaseModel):
    """The numbers that METRICS leaves to policy, under a name and a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    version: Annotated[int, Field(ge=1)]
    in_force_from: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    satisfied_points: dict[int, int]
    easy_from: int
    z: float
    dormancy_days: Annotated[int, Field(ge=1, le=36_500)]
    reopen_window_days: Annotated[int, Field(ge=1)]
    percentile_bucket_ratio: Annotated[float, Field(gt=1)]

    @property
    def label(self) -> str:
        """As in `definition=` and in answers: name@version."""
        return f"{self.name}@{self.version}"

    @property
    def set_name(self) -> str:
        """What the projections that count by it are stored under."""
        return f"{self.name}-{self.version}"


class Named(BaseModel):
    """What people call it, in English and Chinese."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    en: str
    zh: str


class Dimensions(BaseModel):
    """The declared dimensions and their combinations."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dimensions: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Named]
    crossed: list[str] = []
    pairs: list[tuple[str, str]] = []

    @property
    def cuts(self) -> Cuts:
        """As declared cuts. Raises ValueError when a combination names an undeclared dimension."""
        unknown = {*self.crossed, *(name for pair in self.pairs for name in pair)} - self.dimensions.keys()
        if unknown:
            raise ValueError(f"dimensions.yaml combines undeclared dimensions: {', '.join(sorted(unknown))}")
        return Cuts.of(self.dimensions, self.crossed, self.pairs)


@lru_cache
def definitions() -> tuple[Definition, ...]:
    """All definitions, the oldest first."""
    return tuple(Definition.model_validate(item) for item in _read("definitions.yaml")["definitions"])


def definition_in_force(day: str | None, among: Iterable[Definition] | None = None) -> Definition:
    """The one in force on a day, or now; of all, or among some."""
    known = sorted(among or definitions(), key=lambda definition: definition.in_force_from)
    in_force = [definition for definition in known if day is None or definition.in_force_from <= day]
    return (in_force or known)[-1]


@lru_cache
def dimensions() -> Dimensions:
    return Dimensions.model_validate(_read("dimensions.yaml"))


def _read(name: str) -> dict[str, Any]:
    class Texts(yaml.SafeLoader):
        """Dates stay texts."""

    Texts.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    content: dict[str, Any] = yaml.load((HERE / name).read_text("utf-8"), Texts)  # noqa: S506 - a safe loader
    return content
