"""Bench latency: a probe that the stream counts without naming it is told of all the same."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from deploy.bench.latency import FACTS, METRIC, Watch
from services.reporting.views.stream import Wanted, event
from shared.plumbing.news import MOST_NAMED, News, Touched, written
from shared.plumbing.store import Page, Writes

WANTED = Wanted("standard@1", "standard-1", {FACTS: [METRIC]})


def lines(probes: int) -> list[bytes]:
    """The stream's lines about one commit with so many new cases."""
    pages = [Page(f"probe-{number}", fact={"day": "2026-06-01"}) for number in range(probes)]
    _, facts = orjson.loads(written(Writes(new={FACTS: pages})) or "")
    count, ids = facts[FACTS]
    content = WANTED.of(News("00000001", {("standard-1", FACTS): Touched(count, tuple(ids))}))
    assert content is not None
    return event("facts", content, "00000001").splitlines()


@given(commits=st.lists(st.integers(1, 3 * MOST_NAMED), max_size=4))
def test_every_probe_is_heard_of_when_its_commit_is_told(commits: list[int]) -> None:
    watch = Watch("probe", sent=[0.0] * sum(commits))
    watch.counted = [1.0] * sum(commits)
    for moment, probes in enumerate(commits, 1):
        assert not watch.complete
        for line in [b"event: begin", b'data: {"position":"00000000"}', *lines(probes)]:
            watch.hear(line, float(moment))
    assert watch.complete
    assert watch.waited()[1] == [float(moment) for moment, probes in enumerate(commits, 1) for _ in range(probes)]
