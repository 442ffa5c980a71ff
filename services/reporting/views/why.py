"""Why a number is another one than it was: two days beside each other, and every event between that counts."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.numbers import Number, Question, number
from services.reporting.reasons import Addition, Cause, Reason, reasons
from services.reporting.views.asking import Office, day_in, question
from services.reporting.views.metric_numbers import figure
from shared.plumbing.access import allowed
from shared.plumbing.problems import Problem
from shared.plumbing.projection import Projection

MOST_A_PAGE = 1_000
OWN = frozenset({"from_as_of", "to_as_of", "after", "limit"})
"""Parameters that are not the question's."""


class AskedWhy(BaseModel):
    """Two days, and a question as in `GET /v1/metrics/{metric}`."""

    model_config = ConfigDict(extra="allow")
    from_as_of: Annotated[str, Field(description="the earlier day: what was recorded by its end")]
    to_as_of: Annotated[str | None, Field(description="the later day; absent: now")] = None
    start: Annotated[str | None, Field(alias="from", description="first local day of the period")] = None
    to: Annotated[str | None, Field(description="local day after the last of the period")] = None
    definition: Annotated[str | None, Field(description="absent: in force at to_as_of")] = None
    by: Annotated[str | None, Field(description="dimensions to group by, separated by commas")] = None
    after: Annotated[str, Field(description="`next` of the page before")] = ""
    limit: Annotated[int, Field(ge=1, le=MOST_A_PAGE)] = 100

    @property
    def given(self) -> dict[str, Any]:
        """What the URL says, under its own names."""
        return self.model_dump(by_alias=True, exclude_none=True)


def routes(office: Office) -> APIRouter:
    """The difference of two days."""
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/v1/metrics/{metric}/why",
        summary="Why a number changed between two days: facts that entered, left or changed, with their events",
        description=(
            "What the listed events add (over all pages) is the difference of the two numbers: `n` of the denominator, "
            "`count` of the numerator where the metric is a share, `adds` of the sums behind both."
        ),
        dependencies=[allowed("fact.read")],
    )
    async def why(
        metric: Annotated[str, Path(examples=["csat"])], query: Annotated[AskedWhy, Query()]
    ) -> dict[str, Any]:
        since, until = day_in(query.given, "from_as_of"), day_in(query.given, "to_as_of")
        if since is None or (until is not None and since >= until):
            raise Problem(
                422,
                "empty-period",
                "Empty period",
                "There is nothing between these: name a from_as_of that is a day before to_as_of.",
            )
        others = {name: value for name, value in query.given.items() if name not in OWN}
        counting, later = question(office, metric, others if until is None else {**others, "as_of": until})
        earlier = replace(later, as_of=since)
        refusal = later.metric.refuse(later.window)
        if refusal is not None:
            raise Problem(422, "no-such-period", "No such period", f"{refusal}: name another period.")
        projection = counting.projection(later.metric.projection)
        if projection is None:
            raise LookupError(f"no projection {later.metric.projection}")
        page: list[Reason] = []
        more = False
        async with counting.shelves.moment() as moment:
            before = await number(moment, projection, office.cuts, earlier)
            after = await number(moment, projection, office.cuts, later)
            async for reason in reasons(moment, later, since, until, query.after):
                if len(page) == query.limit:
                    more = True
                    break
                page.append(reason)
        return {
            "metric": metric,
            "definition": counting.catalogue.definition.label,
            "period": {"from": later.window.start, "to": later.window.end},
            "before": shown_number(earlier, before),
            "after": shown_number(later, after),
            "difference": {
                "n": after.total.n - before.total.n,
                "count": None
                if after.total.count is None and before.total.count is None
                else (after.total.count or 0) - (before.total.count or 0),
            },
            "facts": [shown_reason(reason, projection) for reason in page],
            "next": page[-1].subject if more else None,
        }

    return router


def shown_number(asked: Question, found: Number) -> dict[str, Any]:
    return {
        "as_of": asked.as_of,
        "source": found.source,
        "total": figure(found.total),
        "groups": [{"dims": group.dims, **figure(group.answer)} for group in found.groups],
    }


def shown_reason(reason: Reason, projection: Projection) -> dict[str, Any]:
    return {
        "projection": projection.name,
        "id": reason.subject,
        "kind": reason.kind,
        **_added(reason.total),
        "events": [_shown_cause(cause) for cause in reason.causes],
    }


def _shown_cause(cause: Cause) -> dict[str, Any]:
    step = cause.step
    return {
        "event": step.event,
        "type": step.type,
        "revision": step.revision,
        "recorded_day": step.day,
        **_added(cause.total),
        "groups": [{"dims": group.dims, **_added(group)} for group in cause.groups],
    }


def _added(addition: Addition) -> dict[str, Any]:
    return {"adds": addition.adds, "n": addition.n, "count": addition.count}
