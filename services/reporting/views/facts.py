"""The facts behind a number, page by page, and one fact with its history."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from services.reporting.numbers import weight
from services.reporting.views.asking import Asked, Counting, Office, question
from shared.plumbing.access import allowed
from shared.plumbing.history import differences, steps
from shared.plumbing.problems import Problem
from shared.plumbing.store import Change, Page

MOST_A_PAGE = 1_000


class AskedFacts(Asked):
    """A question, and which page of its facts."""

    metric: str
    after: Annotated[str, Field(description="`next` of the page before")] = ""
    limit: Annotated[int, Field(ge=1, le=MOST_A_PAGE)] = 100


def routes(office: Office) -> APIRouter:
    """Pages and single facts."""
    router = APIRouter(tags=["facts"])

    @router.get(
        "/v1/facts",
        summary="The facts that a number counts, each with what it adds",
        description="Takes the parameters of `GET /v1/metrics/{metric}`.",
        dependencies=[allowed("fact.read")],
    )
    async def facts_behind(query: Annotated[AskedFacts, Query()]) -> dict[str, Any]:
        counting, asked = question(office, query.metric, query.given, frozenset({"metric", "after", "limit"}))
        refusal = asked.metric.refuse(asked.window)
        if refusal is not None:
            raise Problem(422, "no-such-period", "No such period", f"{refusal}: name another period.")
        page: list[dict[str, Any]] = []
        more = False
        async with counting.shelves.moment() as moment:
            async for subject, fact in moment.facts(asked.metric.projection, query.after, asked.as_of):
                adds = weight(asked, fact)
                if not adds or asked.metric.answer(adds, asked.narrowing).n == 0 < len(asked.narrowing):
                    continue
                if len(page) == query.limit:
                    more = True
                    break
                page.append({"projection": asked.metric.projection, "id": subject, "adds": adds, "fact": fact})
        return {"metric": asked.metric.name, "facts": page, "next": page[-1]["id"] if more else None}

    @router.get(
        "/v1/facts/{subject}/history",
        summary="How a fact came to be so: every event that changed it, and what it changed",
        description=(
            "The oldest first. `changed` lists the values that differ; the fact as it was stands in `before`. Ids are "
            "the owners' own; should two projections know the same one, `projection` says which is meant."
        ),
        dependencies=[allowed("fact.read")],
    )
    async def fact_history(
        subject: str, projection: str | None = None, definition: str | None = None
    ) -> dict[str, Any]:
        counting = office.counting(definition, None)
        known = [one.name for one in counting.catalogue.projections if projection in (None, one.name)]
        name, page, changes = await _found(counting, known, subject)
        return {
            "projection": name,
            "id": subject,
            "definition": counting.catalogue.definition.label,
            "history": [
                {
                    "revision": step.revision,
                    "event": step.event,
                    "type": step.type,
                    "recorded_day": step.day,
                    "changed": differences(step.before, step.after),
                    "before": step.before,
                }
                for step in steps(page, changes)
            ],
            "fact": page.fact,
        }

    @router.get(
        "/v1/facts/{projection}/{subject}", summary="One fact as it is known", dependencies=[allowed("fact.read")]
    )
    async def one_fact(projection: str, subject: str, definition: str | None = None) -> dict[str, Any]:
        counting = office.counting(definition, None)
        known = [one.name for one in counting.catalogue.projections if projection == one.name]
        _, page, _ = await _found(counting, known, subject)
        return {
            "projection": projection,
            "id": subject,
            "revision": page.revision,
            "event": page.event,
            "recorded_day": page.day,
            "first_recorded_day": page.born,
            "waits_for": page.revision + 1 if page.parked else None,
            "fact": page.fact,
        }

    return router


async def _found(counting: Counting, projections: Sequence[str], subject: str) -> tuple[str, Page, Sequence[Change]]:
    """The first of the projections that keeps the subject, with its page and changes. Raises Problem."""
    async with counting.shelves.moment() as moment:
        for name in projections:
            found = await moment.page(name, subject)
            if found is not None:
                return name, *found
    raise Problem(
        404,
        "unknown-fact",
        "Unknown fact",
        f"Nothing is counted of {subject[:60]!r} there; GET /v1/facts lists what is.",
    )
