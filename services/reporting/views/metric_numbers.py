"""One number with all it takes to judge it: n, interval, definition, how far it is counted, and its groups."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.metrics.metric import Answer
from services.reporting.numbers import number
from services.reporting.views.asking import Asked, Office, question
from services.reporting.watermarks import Counted, Watermarks
from shared.plumbing.access import allowed


class Figure(BaseModel):
    """A number and what it rests on. Rates are percent, with `count` of `n`; further figures depend on the metric."""

    model_config = ConfigDict(extra="allow")
    value: Annotated[float | None, Field(description="null, with a `reason`, where there is nothing to divide by")]
    n: int
    count: int | None
    interval: Annotated[tuple[float, float] | None, Field(description="95 %, where METRICS defines one")]


class GroupFigure(Figure):
    dims: dict[str, str]


class NumberAnswer(BaseModel):
    """The answer to one question."""

    metric: str
    definition: str
    unit: str
    period: Annotated[dict[str, str | None], Field(description="local days, from included, to excluded")]
    as_of: Annotated[str | None, Field(description="what was recorded by the end of this day; null: by now")]
    provisional: Annotated[
        bool,
        Field(
            description="false once every topic is counted beyond the end of `as_of` and none of its records is set "
            "aside; live numbers always are"
        ),
    ]
    watermark: Annotated[
        dict[str, Any],
        Field(
            description="per topic: counted through which recording time, records behind; with as_of: records set aside"
        ),
    ]
    source: Annotated[str, Field(description="cells: kept ready; facts: computed from every fact for this question")]
    total: Figure
    groups: Annotated[
        list[GroupFigure], Field(description="facts without a value of the dimension are in total, but in no group")
    ]


def routes(office: Office, watermarks: Watermarks, zone: ZoneInfo) -> APIRouter:
    """`zone` is the installation's: its midnight ends the day of `as_of`."""
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/v1/metrics/{metric}",
        summary="A number over a period, by dimensions, as of a day",
        description=(
            "Periods are local days, half-open; leave `from` or `to` out for an open side. `where.<dimension>=value` "
            "narrows, any number of times. `exact=true` computes percentiles from the facts instead of log buckets. "
            "Amounts are in minor currency units."
        ),
        response_model=NumberAnswer,
        dependencies=[allowed("metric.read")],
    )
    async def metric_number(
        metric: Annotated[str, Path(examples=["csat"])], query: Annotated[Asked, Query()]
    ) -> dict[str, Any]:
        counting, asked = question(office, metric, query.given)
        projection = counting.projection(asked.metric.projection)
        if projection is None:
            raise LookupError(f"no projection {asked.metric.projection}")
        async with counting.shelves.moment() as moment:
            cursors = await moment.cursors()
            aside = None if asked.as_of is None else await moment.set_aside()  # what is live is provisional anyway
            found = await number(moment, projection, office.cuts, asked)
        counted = await watermarks.counted(cursors, aside)
        return {
            "metric": asked.metric.name,
            "definition": counting.catalogue.definition.label,
            "unit": asked.metric.unit,
            "period": {"from": asked.window.start, "to": asked.window.end},
            "as_of": asked.as_of,
            "provisional": provisional(asked.as_of, counted, zone),
            "watermark": {topic: state.shown() for topic, state in counted.items()},
            "source": found.source,
            "total": figure(found.total),
            "groups": [{"dims": group.dims, **figure(group.answer)} for group in found.groups],
        }

    return router


def figure(answer: Answer) -> dict[str, Any]:
    """An answer as it is shown."""
    shown = {"value": answer.value, "n": answer.n, "count": answer.count, "interval": answer.interval, **answer.more}
    return shown if answer.reason is None else {**shown, "reason": answer.reason}


def provisional(as_of: str | None, counted: Mapping[str, Counted], zone: ZoneInfo) -> bool:
    """Whether what was recorded by the end of that day may not all be counted yet (METRICS, general rule b).

    What is set aside may have been recorded on any day; it counts there once a person has it taken again.
    """
    if as_of is None:
        return True
    day_after = datetime.fromisoformat(as_of) + timedelta(days=1)
    end = day_after.replace(tzinfo=zone)
    return any(
        state.final_through is None or state.final_through < end or state.set_aside != 0 for state in counted.values()
    )
