"""Changes as they are counted, as server-sent events: who watches need ask again only when there is something new."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from services.reporting.views.asking import Office, question
from shared.plumbing.access import allowed
from shared.plumbing.news import MOST_NAMED, POSITION, News, PositionLost, Touched
from shared.plumbing.newsroom import Newsroom, TooSlow
from shared.plumbing.problems import Problem

MOST_WATCHERS = 1_000
"""Of one process; with more of them, run more processes."""
LOOK_UP_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 15.0
COME_BACK_AFTER_MS = 2_000


def routes(office: Office, newsroom: Newsroom) -> APIRouter:
    """The stream."""
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/v1/stream",
        summary="Server-sent events: which facts, and so which metrics, have just changed",
        description=(
            "`begin` names the position, `facts` says how much changed (`count`) and names the first "
            f"{MOST_NAMED} of each kind (`ids`), `reset` that changes in between can no longer be "
            "told (ask for the numbers afresh; the stream goes on), `dropped` that the watcher was too slow and must "
            "come back. Each event's id is a position: sent as `Last-Event-ID`, also to another process or after a "
            "restart, everything behind it is told again."
        ),
        dependencies=[allowed("fact.read")],
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def stream(
        request: Request,
        metric: Annotated[str | None, Query(description="only what this metric counts")] = None,
        definition: Annotated[str | None, Query(description="such as standard@1; absent: in force now")] = None,
        last_event_id: Annotated[str | None, Header(description="the last position that was told")] = None,
    ) -> StreamingResponse:
        counting = office.counting(definition, None)
        metrics: dict[str, list[str]] = {}
        if metric is None:
            for name, known in counting.catalogue.metrics.items():
                metrics.setdefault(known.projection, []).append(name)
        else:
            _, asked = question(office, metric, {"definition": counting.catalogue.definition.label})
            metrics[asked.metric.projection] = [asked.metric.name]
        if newsroom.watching >= MOST_WATCHERS:
            detail = f"This process tells {MOST_WATCHERS} watchers already: ask another one, or come back later."
            raise Problem(503, "too-many-watchers", "Too many watchers", detail)
        wanted = Wanted(counting.catalogue.definition.label, counting.catalogue.definition.set_name, metrics)
        events = told(newsroom, wanted, last_event_id, request.app.state.stopping)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    return router


class Wanted:
    """What one watcher wants to hear of: the projections of one definition, and which metrics count them."""

    def __init__(self, definition: str, set_name: str, metrics: dict[str, list[str]]) -> None:
        self._definition = definition
        self._set_name = set_name
        self._metrics = metrics

    def of(self, news: News) -> dict[str, Any] | None:
        """What to tell of it; None for nothing."""
        touched: dict[str, Touched] = {
            projection: facts
            for (name, projection), facts in news.facts.items()
            if name == self._set_name and projection in self._metrics
        }
        if not touched:
            return None
        facts = {projection: {"count": one.count, "ids": one.ids} for projection, one in touched.items()}
        metrics = sorted(name for projection in touched for name in self._metrics[projection])
        return {"definition": self._definition, "metrics": metrics, "facts": facts}


async def told(
    newsroom: Newsroom, wanted: Wanted, since: str | None, stopping: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    """The bytes of one watcher's stream, until it is too slow or the process stops."""
    yield f"retry: {COME_BACK_AFTER_MS}\n\n".encode()
    if since is not None and not POSITION.fullmatch(since):
        yield reset("this is no position of ours")
        since = None
    while True:
        spoke_at, begun = time.monotonic(), False
        try:
            async with aclosing(newsroom.watch(since, LOOK_UP_EVERY_S)) as all_news:
                async for news in all_news:
                    content = wanted.of(news)
                    if not begun:
                        begun = True
                        yield event("begin", {"position": news.position}, news.position)
                    elif content is not None:
                        yield event("facts", content, news.position)
                    elif time.monotonic() - spoke_at < HEARTBEAT_EVERY_S:
                        if stopping():
                            return
                        continue
                    else:
                        # A position alone is no event, but where to go on: quiet watchers must not grow too old.
                        yield f": alive\nid: {news.position}\n\n".encode()
                    spoke_at = time.monotonic()
                    if stopping():
                        return
        except PositionLost as lost:
            yield reset(str(lost))
            since = None
        except TooSlow as slow:
            yield event("dropped", {"reason": f"{slow}: come back with the last id"})
            return


def event(name: str, content: dict[str, Any], position: str | None = None) -> bytes:
    """One event as it travels."""
    identity = b"" if position is None else f"id: {position}\n".encode()
    return b"%sevent: %s\ndata: %s\n\n" % (identity, name.encode(), orjson.dumps(content))


def reset(reason: str) -> bytes:
    """What makes a watcher forget its position: an empty id."""
    return b"id\n" + event("reset", {"reason": f"{reason}: ask for the numbers afresh"})
