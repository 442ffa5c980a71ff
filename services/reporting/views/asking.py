"""Reading a question off a URL: metric, period, cut, day, definition; what is not understood is a problem document."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.reporting.configuration import definition_in_force
from services.reporting.metrics.catalogue import Catalogue
from services.reporting.metrics.metric import Window
from services.reporting.numbers import Question
from shared.plumbing.cells import Cuts, cut_of
from shared.plumbing.problems import Problem
from shared.plumbing.projection import Projection
from shared.plumbing.store import Shelves


class Asked(BaseModel):
    """The parameters of a question. `where.<dimension>=value` comes besides, any number of times."""

    model_config = ConfigDict(extra="allow")
    start: Annotated[
        str | None, Field(alias="from", description="first local day, such as 2026-09-01; absent: from the beginning")
    ] = None
    to: Annotated[str | None, Field(description="local day after the last, such as 2026-10-01; absent: open")] = None
    as_of: Annotated[str | None, Field(description="what was recorded by the end of this day; absent: by now")] = None
    definition: Annotated[str | None, Field(description="such as standard@1; absent: in force at as_of")] = None
    by: Annotated[str | None, Field(description="dimensions to group by, separated by commas")] = None
    exact: Annotated[str | None, Field(description="true: from the facts, percentiles exact")] = None

    @property
    def given(self) -> dict[str, Any]:
        """What the URL says, under its own names."""
        return self.model_dump(by_alias=True, exclude_none=True)


@dataclass(frozen=True)
class Counting:
    """One definition with what is counted by it, and where that stands."""

    catalogue: Catalogue
    shelves: Shelves

    def projection(self, name: str) -> Projection | None:
        return next((known for known in self.catalogue.projections if known.name == name), None)


@dataclass(frozen=True)
class Office:
    """Everything that can be asked: the countings by definition label, and the declared cuts."""

    countings: Mapping[str, Counting]
    cuts: Cuts

    def counting(self, label: str | None, as_of: str | None) -> Counting:
        """By the definition asked for, else the one in force at `as_of`. Raises Problem."""
        defined = [counting.catalogue.definition for counting in self.countings.values()]
        wanted = label or definition_in_force(as_of, defined).label
        counting = self.countings.get(wanted)
        if counting is None:
            known = ", ".join(self.countings)
            raise Problem(
                404, "unknown-definition", "Unknown definition", f"{wanted} is not counted; name one of: {known}."
            )
        return counting


def question(
    office: Office, name: str, parameters: Mapping[str, Any], also: frozenset[str] = frozenset()
) -> tuple[Counting, Question]:
    """The question in a URL's parameters; `also` are further names the route understands. Raises Problem."""
    known = {"from", "to", "as_of", "definition", "by", "exact"} | also
    unknown = [key for key in parameters if key not in known and not key.startswith("where.")]
    if unknown:
        understood = ", ".join(sorted(known))
        detail = f"{', '.join(sorted(unknown))[:200]} is not understood; use {understood}, where.<dimension>."
        raise Problem(422, "unknown-parameter", "Unknown parameter", detail)
    as_of = day_in(parameters, "as_of")
    counting = office.counting(parameters.get("definition"), as_of)
    metric = counting.catalogue.metrics.get(name)
    if metric is None:
        detail = f"There is no metric {name[:60]!r}; GET /v1/metrics lists them."
        raise Problem(404, "unknown-metric", "Unknown metric", detail)
    window = Window(day_in(parameters, "from"), day_in(parameters, "to"))
    if window.start is not None and window.end is not None and window.start >= window.end:
        raise Problem(
            422, "empty-period", "Empty period", "A period holds from, but not to: name a from that is before to."
        )
    by = [part.strip() for part in parameters.get("by", "").split(",") if part.strip()]
    where = {key.removeprefix("where."): str(value) for key, value in parameters.items() if key.startswith("where.")}
    for dimension in (*by, *where):
        _check_dimension(dimension)
    if set(by) & metric.named:
        detail = f"{', '.join(sorted(set(by) & metric.named))} can narrow, but not group: use where.… instead of by."
        raise Problem(422, "no-such-cut", "No such cut", detail)
    exact = parameters.get("exact", "false").lower()
    if exact not in ("true", "false", "1", "0"):
        raise Problem(422, "invalid", "Invalid request", "There is no such exact: send true or false.")
    return counting, Question(metric, window, as_of, cut_of(by), where, exact in ("true", "1"))


def day_in(parameters: Mapping[str, Any], name: str) -> str | None:
    """A date among a URL's parameters; None when it is absent. Raises Problem."""
    text = parameters.get(name)
    if not isinstance(text, str) or not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not 1000 <= day.year < 9000:
        detail = f"{name} is no date: send one such as 2026-11-23, in the years 1000 to 8999."
        raise Problem(422, "invalid-date", "Invalid date", detail)
    return text


def _check_dimension(name: str) -> None:
    if not name or not name.isascii() or not name.replace("_", "a").isalnum() or not name[0].islower():
        detail = "That names no dimension: use lower-case letters, digits and underscores, such as product_line."
        raise Problem(422, "unknown-dimension", "Unknown dimension", detail)
