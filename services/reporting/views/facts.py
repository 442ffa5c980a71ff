"""The facts behind a number, page by page, and one fact with its history."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from services.reporting.numbers import weight
from services.reporting.views.asking import Asked, Office, question
from shared.plumbing.problems import Problem
from shared.plumbing.undo import undone

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
    )
    async def facts_behind(query: Annotated[AskedFacts, Query()]) -> dict[str, Any]:
        counting, asked = question(office, query.metric, query.given, frozenset({"metric", "after", "limit"}))
        refusal = asked.metric.refuse(asked.window)
        if refusal is not None:
            raise Problem(422, "no-such-period", "No such period", f"{refusal}.")
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

    @router.get("/v1/facts/{projection}/{subject}", summary="One fact as it is known, and how it came to be so")
    async def one_fact(projection: str, subject: str, definition: str | None = None) -> dict[str, Any]:
        counting = office.counting(definition, None)
        known = counting.projection(projection)
        found = None
        if known is not None:
            async with counting.shelves.moment() as moment:
                found = await moment.page(projection, subject)
        if found is None:
            raise Problem(404, "unknown-fact", "Unknown fact", f"Nothing is counted of {subject[:60]!r} there.")
        page, changes = found
        history = []
        fact = page.fact
        for change in reversed(changes):
            if fact is None:
                break
            fact = undone(fact, change.undo)
            history.append(
                {
                    "revision": change.revision,
                    "event": change.event,
                    "type": change.type,
                    "recorded_day": change.day,
                    "before": fact,
                }
            )
        return {
            "projection": projection,
            "id": subject,
            "revision": page.revision,
            "event": page.event,
            "recorded_day": page.day,
            "first_recorded_day": page.born,
            "waits_for": page.revision + 1 if page.parked else None,
            "fact": page.fact,
            "changes": history,
        }

    return router
