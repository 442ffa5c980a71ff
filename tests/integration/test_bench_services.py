"""The benches of running services, on a small scale: what they say has the promised shape, and the counts agree."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.bench import customer, intake, latency, query, rebuild, scale, start
from deploy.bench.ground import Ground
from deploy.bench.page import section
from deploy.bench.report import Report
from deploy.local.places import ROOT
from tests.support.stack import Namespace, RealStack


@pytest.fixture
async def place(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Ground]:
    """The suite's Kafka and MongoDB as ground, with topics and databases of this test's own."""
    ground = Ground(stack.kafka, stack.mongo, tmp_path, prefix=namespace.topic_prefix)
    yield ground
    ground.client.close()


def shown(report: Report) -> dict[str, Any]:
    """The report as JSON, which the page can show, and every column of ours has a figure."""
    told = report.as_json()
    assert set(told["ours"]) == set(told["columns"])
    assert told["command"] in section(told)
    assert told["machine"]["mongod"]
    return told


async def test_query_asks_every_metric_in_every_form_and_group_finds_the_same_counts(place: Ground) -> None:
    told = shown(await query.measure(place, seed=3, events=400, rounds=1))
    assert list(told["peers"]) == ["$group over raw facts, 400", "Manyi, 40 facts", "$group over raw facts, 40"]
    assert set(told["ratios"]) == set(told["peers"])
    assert all(figure > 0 for figure in told["ours"].values())


async def test_customer_finds_everybody_it_took_in_and_every_copy(place: Ground) -> None:
    told = shown(await customer.measure(place, seed=3, events=200, rounds=1, questions=10, rows=20))
    assert told["facts"]["customers"] == 204
    assert told["facts"]["pairs_found"] == told["facts"]["planted"] == 4
    assert set(told["peers"]) >= {"search by code", "search by phone", "search by part of a name"}
    assert all(figure > 0 for figures in told["peers"].values() for figure in figures.values())


async def test_latency_sees_every_probe_in_the_metric_and_on_the_stream(place: Ground) -> None:
    told = shown(await latency.measure(place, seed=3, events=400, rounds=1))
    assert list(told["peers"]) == ["Manyi, half of its maximum"]
    assert told["facts"]["probes"] >= 7
    assert all(figure > 0 for figures in (told["ours"], *told["peers"].values()) for figure in figures.values())


async def test_intake_follows_foreign_events_to_the_cells(place: Ground) -> None:
    told = shown(await intake.measure(place, seed=3, events=300, rounds=1))
    assert list(told["peers"]) == ["Manyi, all at once"]
    for figures in (told["ours"], *told["peers"].values()):
        assert figures["events_s"] > 0
        assert figures["journal_s"] > 0


def test_the_growth_of_lag_is_the_slope_while_the_second_half_is_sent() -> None:
    steady = intake.Course([(second, 100 * second, 100 * second - 50, 100 * second - 70) for second in range(11)])
    assert steady.growth == pytest.approx(0)
    falling_behind = intake.Course([(second, 100 * second, 90 * second, 60 * second) for second in range(11)])
    assert falling_behind.growth == pytest.approx(40)


async def test_rebuild_builds_as_many_documents_as_were_counted_live(place: Ground) -> None:
    told = shown(await rebuild.measure(place, seed=3, events=300, rounds=1))
    assert told["facts"]["facts.responses"] == 300
    assert list(told["ratios"]) == ["the service itself"]


async def test_start_sees_everything_ready_and_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    figures = await start.up(tmp_path / "data", (sys.executable, "-P", "-m", "deploy.cli"))
    told = shown(start.report({start.AGAIN: [figures], start.NEW: [figures], start.DEMO: [{"seconds": 1.0}]}, 1, 1))
    assert list(told["peers"]) == [start.NEW, start.DEMO]
    assert told["ours"]["resident_mb"] > told["ours"]["shared_out_mb"] > 300


async def test_scale_counts_everything_once_each_process_has_partitions(place: Ground) -> None:
    told = shown(await scale.measure(place, seed=3, events=600, rounds=1, processes=(2,), partitions=2))
    assert told["name_of_ours"] == "2 reporting"
    assert told["ours"]["events_s"] > 0


def test_sizes_are_tenfold_steps() -> None:
    assert query.sizes(10_000_000) == [100_000, 1_000_000, 10_000_000]
    assert query.sizes(1_000_000) == [100_000, 1_000_000]
    assert query.sizes(400) == [40, 400]
