"""Known answers of METRICS, vector by vector."""

from collections.abc import Mapping

import pytest

from services.reporting.configuration import definition_in_force
from services.reporting.metrics.catalogue import catalogue_of
from services.reporting.metrics.metric import Answer, Metric, Tally
from services.reporting.metrics.statistics import (
    LogBuckets,
    finite_frame,
    net_score_interval,
    net_score_margin,
    percentile,
    wilson,
)

METRICS: Mapping[str, Metric] = catalogue_of(definition_in_force(None)).metrics
Z = definition_in_force(None).z


def answer(name: str, tally: Tally, **narrowing: str) -> Answer:
    return METRICS[name].answer(tally, narrowing)


def rounded(interval: tuple[float, float] | None) -> tuple[float, float]:
    assert interval is not None
    return round(interval[0], 1), round(interval[1], 1)


@pytest.mark.parametrize(
    ("count", "n", "interval"),
    [(85, 100, (76.7, 90.7)), (17, 20, (64.0, 94.8)), (0, 10, (0.0, 27.8)), (3, 3, (43.9, 100.0))],
)
def test_d1_csat_with_wilson_interval(count: int, n: int, interval: tuple[float, float]) -> None:
    found = answer("csat", {"csat:1~5:4": count, "csat:1~5:2": n - count})
    assert (found.value, found.count, found.n) == (100 * count / n, count, n)
    assert rounded(found.interval) == interval


@pytest.mark.parametrize(
    ("scale", "satisfied"), [("1~3", 1), ("1~4", 2), ("1~5", 2), ("1~6", 2), ("1~7", 2), ("1~10", 3)]
)
def test_d1_top_points_depend_on_the_scale(scale: str, satisfied: int) -> None:
    top = int(scale.partition("~")[2])
    found = answer("csat", {f"csat:{scale}:{value}": 1 for value in range(1, top + 1)})
    assert (found.count, found.n) == (satisfied, top)


def test_d1_other_scales_must_declare_their_cut() -> None:
    found = answer("csat", {"csat:0~10:9": 4})
    assert (found.value, found.n) == (None, 4)
    assert found.reason


@pytest.mark.parametrize(
    ("promoters", "passives", "detractors", "point", "wald", "centre", "adjusted"),
    [(50, 30, 20, 30.0, 15.3, 29.1, 15.1), (300, 200, 100, 33.3, 6.0, 33.2, 6.0), (10, 0, 0, 100.0, 0.0, 76.9, 29.4)],
)
def test_d2_nps_point_and_intervals(
    promoters: int, passives: int, detractors: int, point: float, wald: float, centre: float, adjusted: float
) -> None:
    found = answer("nps", {"nps:0~10:10": promoters, "nps:0~10:8": passives, "nps:0~10:3": detractors})
    n = promoters + passives + detractors
    assert found.value is not None
    assert round(found.value, 1) == point
    assert round(net_score_margin(promoters, detractors, n, Z), 1) == wald
    middle, margin = net_score_interval(promoters, detractors, n, Z)
    assert (round(middle, 1), round(margin, 1)) == (centre, adjusted)
    assert (found.more["centre"], found.more["margin"]) == (middle, margin)


def test_d2_finite_frame_and_change() -> None:
    before, after = net_score_margin(50, 20, 100, Z), net_score_margin(60, 15, 100, Z)
    assert round(finite_frame(before, 100, 200), 1) == 10.9
    assert round((before**2 + after**2) ** 0.5, 1) == 21.1


def test_d3_index_and_its_methods() -> None:
    assert answer("satisfaction_index", {"index:ratio_to_max": 2, "sum:ratio_to_max": 1_680_000}).value == 84.0
    mixed = answer("satisfaction_index", {"index:ratio_to_max": 1, "index:linear": 1, "sum:linear": 1})
    assert (mixed.value, mixed.n) == (None, 2)
    narrowed = answer(
        "satisfaction_index", {"index:ratio_to_max": 1, "index:linear": 1, "sum:linear": 800_000}, scoring="linear"
    )
    assert narrowed.value == 80.0


def test_d5_effort() -> None:
    counts = dict(zip(range(1, 8), (80, 210, 140, 110, 160, 180, 120), strict=True))
    found = answer("ces", {f"ces:1~7:{value}": amount for value, amount in counts.items()})
    assert found.value is not None
    assert (round(found.value, 2), found.more["easy"], found.more["net"]) == (4.08, 46.0, -13.0)


def test_rating_mean_never_mixes_scales() -> None:
    tally = {"csat:1~5:4": 3, "nps:0~10:9": 1}
    found = answer("rating_mean", tally)
    assert (found.value, found.n) == (None, 4)
    assert [apart["n"] for apart in found.more["scales"]] == [1, 3]
    assert answer("rating_mean", tally, scale="1-5").value == 4.0
    assert answer("rating_mean", tally, metric="nps").value == 9.0


def test_d16_and_d17_churn() -> None:
    found = answer("logo_churn", {"start": 200, "lost": 12})
    assert (found.value, rounded(found.interval)) == (6.0, (3.5, 10.2))
    revenue = answer("revenue_churn", {"start": 10, "lost": 1, "start:CNY": 1000, "lost:CNY": 60})
    assert revenue.value == 6.0
    several = answer("revenue_churn", {"start": 2, "lost": 0, "start:CNY": 1, "start:USD": 1})
    assert several.value is None


@pytest.mark.parametrize("metric", sorted(set(METRICS) - {"responses", "complaints_opened", "cases_reopened"}))
def test_an_empty_denominator_is_null_with_a_reason(metric: str) -> None:
    found = answer(metric, {})
    if METRICS[metric].unit in ("orders", "customer days"):
        assert found.value == 0
    else:
        assert found.value is None
        assert found.reason


def test_percentiles_interpolate() -> None:
    assert percentile({1.0: 1, 2.0: 1}, 50) == 1.5
    assert percentile({1.0: 3, 9.0: 1}, 50) == 1.0
    assert percentile({float(value): 1 for value in range(11)}, 90) == 9.0


def test_log_buckets_are_within_two_percent() -> None:
    buckets = LogBuckets(1.02)
    for milliseconds in (1_001, 60_000, 253_560_000, 10**10):
        assert abs(buckets.seconds(buckets.of(milliseconds)) / (milliseconds / 1000) - 1) < 0.01
    assert buckets.seconds(buckets.of(-5)) == 0.0


def test_wilson_of_the_core_customers() -> None:
    assert rounded(wilson(3, 50, Z)) == (2.1, 16.2)
