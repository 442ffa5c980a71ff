"""Intervals and percentiles of METRICS, from counts alone."""

from bisect import bisect_left
from collections.abc import Mapping
from math import sqrt


def wilson(count: int, n: int, z: float) -> tuple[float, float]:
    """Wilson score interval of a share, in percent (METRICS D1, D16; Wilson 1927). `n` must be above 0."""
    share = count / n
    centre = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return 100 * max(0.0, (centre - spread) / scale), 100 * min(1.0, (centre + spread) / scale)


def net_score_interval(promoters: int, detractors: int, n: int, z: float) -> tuple[float, float]:
    """Centre and margin of the adjusted-Wald interval of an NPS, in points (METRICS D2: n + 3, ¾ to each end)."""
    size = n + 3
    up, down = (promoters + 0.75) / size, (detractors + 0.75) / size
    return 100 * (up - down), 100 * z * sqrt((up + down - (up - down) ** 2) / size)


def finite_frame(margin: float, n: int, frame: int) -> float:
    """The margin when `n` of a frame of known size answered (METRICS D2)."""
    return margin * sqrt((frame - n) / (frame - 1))


def net_score_margin(promoters: int, detractors: int, n: int, z: float) -> float:
    """Plain Wald margin of an NPS, in points (METRICS D2)."""
    up, down = promoters / n, detractors / n
    return 100 * z * sqrt((up + down - (up - down) ** 2) / n)


def percentile(counts: Mapping[float, int], percent: int) -> float:
    """Percentile of values with their counts, interpolated linearly between the two nearest (as pandas and Excel do).

    50 is the median. There must be at least one value.
    """
    last = sum(counts.values()) - 1
    position, rest = divmod(last * percent, 100)
    low = _at(counts, position)
    if rest == 0:
        return low
    return low + (_at(counts, position + 1) - low) * rest / 100


def _at(counts: Mapping[float, int], position: int) -> float:
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen > position:
            return value
    raise ValueError("no such position: there are fewer values")


class LogBuckets:
    """Durations in buckets whose bounds grow by one ratio: a percentile read from them is off by less than half of it.

    Bucket 0 holds what takes no time (or less); bucket i ends with ratio^(i-1) seconds, included. Bounds are made by
    repeated multiplication, which every IEEE 754 machine does alike.
    """

    LONGEST_S = 1e11

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._bounds = [0.0, 1.0]
        while self._bounds[-1] < self.LONGEST_S:
            self._bounds.append(self._bounds[-1] * ratio)

    def of(self, milliseconds: int) -> int:
        return bisect_left(self._bounds, milliseconds / 1000)

    def seconds(self, bucket: int) -> float:
        """The value a bucket stands for: the geometric mean of its bounds."""
        if bucket <= 0:
            return 0.0
        if bucket == 1:
            return 1.0
        return self._bounds[min(bucket, len(self._bounds) - 1)] / sqrt(self._ratio)
