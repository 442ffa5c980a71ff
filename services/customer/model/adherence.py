"""How far visits follow the plan (S3-09): of those planned for a period and not called off, how many took place."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from services.customer.model.visits import Visit


@dataclass(frozen=True)
class Adherence:
    """`kept` of `planned` took place, `on_day` of these on the planned day; `unplanned` were nobody's plan."""

    planned: int
    kept: int
    on_day: int
    unplanned: int

    @property
    def rate(self) -> float | None:
        """Kept by planned; None where nothing was planned (METRICS, general rule c)."""
        return None if self.planned == 0 else self.kept / self.planned


def adherence(visits: Iterable[Visit], start: datetime, end: datetime, day: Callable[[datetime], date]) -> Adherence:
    """Count the half-open period [start, end); `day` tells the local day of an instant."""
    planned = kept = on_day = unplanned = 0
    for one in visits:
        if one.planned_for is None:
            unplanned += one.at is not None and start <= one.at < end
        elif one.status in ("planned", "done") and start <= one.planned_for < end:
            planned += 1
            kept += one.status == "done"
            on_day += one.at is not None and day(one.at) == day(one.planned_for)
    return Adherence(planned, kept, on_day, unplanned)
