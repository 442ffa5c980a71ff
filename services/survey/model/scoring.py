"""The satisfaction index of METRICS D3 (加权满意度; ISO 10004, GB/T 19014-2019), exact until its one rounding."""

from collections.abc import Iterable
from fractions import Fraction
from math import lcm

from shared.contracts.questions import Scale
from shared.contracts.survey import Scoring

PARTS_OF_A_POINT = 10_000
"""The index is kept in these: 84.0 points are 840,000."""


def score(value: int, scale: Scale, scoring: Scoring) -> Fraction:
    """Points from 0 to 100 of one answer inside its scale.

    `ratio_to_max` (得分率): value over the highest; needs a scale from 0 or above. `linear`: the way from the lowest
    to the highest.
    """
    way, whole = _way(value, scale, scoring)
    return Fraction(100 * way, whole)


def _way(value: int, scale: Scale, scoring: Scoring) -> tuple[int, int]:
    low, high = scale
    return (value, high) if scoring == "ratio_to_max" else (value - low, high - low)


def index(items: Iterable[tuple[int, Scale, int]], scoring: Scoring) -> int | None:
    """Weighted mean of answered items (value, scale, weight), in 1/10,000 points, half up.

    None where nothing that counts was answered; an item that was not answered leaves numerator and denominator.
    """
    # Over one common denominator: a sum of fractions is ten times the work, and every response pays it.
    told = [(weight, *_way(value, scale, scoring)) for value, scale, weight in items]
    weights = sum(weight for weight, _, _ in told)
    if weights == 0:
        return None
    common = lcm(*(whole for _, _, whole in told))
    total = sum(weight * way * (common // whole) for weight, way, whole in told)
    return half_up(100 * total * PARTS_OF_A_POINT, common * weights)


def half_up(numerator: int, denominator: int) -> int:
    """The whole number nearest to a fraction, the higher of two that are equally near."""
    return (2 * numerator + denominator) // (2 * denominator)
