"""Checking a tape's reference figures against what reporting answers."""

from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from deploy.tapes.asking import Asking
from deploy.tapes.errors import TapeError
from deploy.tapes.tape import Query, Reference, load_tape


@dataclass(frozen=True)
class Figure:
    """One figure beside its reference. `manyi` is None when reporting gave no such number; `problem` says why."""

    tape: str
    figure: str
    reference: Decimal
    source: str
    manyi: Decimal | None
    equal: bool
    problem: str | None = None

    def json(self) -> dict[str, Any]:
        """Plain JSON values: numbers as numbers."""
        plain = asdict(self)
        return {name: _plain(value) if isinstance(value, Decimal) else value for name, value in plain.items()}


def check(tape_name: str, reporting_url: str, folder: Path | None = None) -> list[Figure]:
    """Ask reporting for every reference figure of a tape. A question that fails makes its figures unequal, no more."""
    tape = load_tape(tape_name, folder)
    with Asking() as asking:
        return [figure for query in tape.references for figure in _answered(tape.name, query, asking, reporting_url)]


def _answered(tape: str, query: Query, asking: Asking, url: str) -> list[Figure]:
    problem = None
    answer: Any = None
    try:
        answer = asking.get(f"{url}/v1/metrics/{query.metric}", query.params)
    except TapeError as error:
        problem = str(error)
    return [compare(tape, query.basis, reference, answer, problem) for reference in query.figures]


def compare(tape: str, basis: str, reference: Reference, answer: Any, problem: str | None = None) -> Figure:
    """One reference against one answer of reporting (None: there was none, `problem` says why)."""
    found = None if answer is None else pick(answer, reference)
    if answer is not None and found is None:
        problem = f"the answer has no {_where(reference)}"
    equal = found is not None and is_equal(found, reference)
    return Figure(tape, reference.figure, reference.reference, basis, found, equal, problem)


def pick(answer: Any, reference: Reference) -> Decimal | None:
    """The number at `pick` (dots go inwards, digits into lists) of the total, or of the group with these dimensions."""
    place = answer.get("total")
    if reference.group:
        wanted = reference.group.items()
        place = next((group for group in answer.get("groups", ()) if wanted <= group["dims"].items()), None)
    for step in reference.pick.split("."):
        if isinstance(place, dict):
            place = place.get(step)
        elif isinstance(place, list) and step.isdigit() and int(step) < len(place):
            place = place[int(step)]
        else:
            return None
    return Decimal(place) if isinstance(place, int | Decimal) and not isinstance(place, bool) else None


def is_equal(value: Decimal, reference: Reference) -> bool:
    """Within the relative tolerance if there is one; a whole reference exactly; else to the decimals written."""
    expected = reference.reference
    if reference.within is not None:
        return abs(value - expected) <= abs(expected) * reference.within
    exponent = expected.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= 0:
        return value == expected
    return value.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_UP) == expected


def _where(reference: Reference) -> str:
    group = ", ".join(f"{name}={value}" for name, value in reference.group.items())
    return f"{reference.pick} for {group}" if group else reference.pick


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
