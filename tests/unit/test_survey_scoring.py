"""The satisfaction index: its known answers (METRICS D3), its bounds, and no float on the way."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.survey.model.scoring import half_up, index, score
from shared.contracts.survey import Scoring

FIVE = (1, 5)
SCORINGS: tuple[Scoring, ...] = ("ratio_to_max", "linear")


def mean_index(values: list[int], scoring: Scoring) -> Fraction:
    """Mean of the responses' indexes, in points."""
    indexes = [index([(value, FIVE, 1)], scoring) for value in values]
    return Fraction(sum(one for one in indexes if one is not None), len(values) * 10_000)


@pytest.mark.parametrize(("scoring", "points"), [("ratio_to_max", Fraction(84)), ("linear", Fraction(80))])
def test_a_mean_of_4_2_of_5(scoring: Scoring, points: Fraction) -> None:
    assert mean_index([4, 4, 4, 4, 5], scoring) == points


@pytest.mark.parametrize(("scoring", "points"), [("ratio_to_max", Fraction("80.8")), ("linear", Fraction(76))])
def test_product_4_2_by_0_6_and_service_3_8_by_0_4(scoring: Scoring, points: Fraction) -> None:
    answers = zip([4, 4, 4, 4, 5], [4, 4, 4, 4, 3], strict=True)
    indexes = [index([(product, FIVE, 6), (service, FIVE, 4)], scoring) for product, service in answers]
    assert Fraction(sum(one or 0 for one in indexes), 5 * 10_000) == points


def test_an_item_that_was_not_answered_leaves_the_weights_too() -> None:
    assert index([(4, FIVE, 5), (5, FIVE, 2)], "ratio_to_max") == 857_143


def test_nothing_that_counts_has_no_index() -> None:
    assert index([], "linear") is None
    assert index([(5, FIVE, 0)], "linear") is None


@pytest.mark.parametrize(
    ("value", "scale", "ratio", "linear"),
    [(0, (0, 10), 0, 0), (5, (0, 10), 50, 50), (1, (1, 5), 20, 0), (5, (1, 5), 100, 100), (3, (2, 4), 75, 50)],
)
def test_a_scale_may_start_anywhere_from_zero_on(value: int, scale: tuple[int, int], ratio: int, linear: int) -> None:
    assert score(value, scale, "ratio_to_max") == ratio
    assert score(value, scale, "linear") == linear


def test_a_linear_scale_may_go_below_zero() -> None:
    assert [score(value, (-2, 2), "linear") for value in (-2, 0, 2)] == [0, 50, 100]


def test_halves_go_up() -> None:
    assert [half_up(n, 2) for n in (1, 2, 3, 5)] == [1, 1, 2, 3]
    assert half_up(49_999, 100_000) == 0


@st.composite
def items(draw: st.DrawFn) -> list[tuple[int, tuple[int, int], int]]:
    found = []
    for _ in range(draw(st.integers(1, 8))):
        low = draw(st.integers(0, 99))
        high = draw(st.integers(low + 1, 100))
        found.append((draw(st.integers(low, high)), (low, high), draw(st.integers(1, 1_000_000))))
    return found


@given(items(), st.sampled_from(SCORINGS))
def test_an_index_lies_between_0_and_100_points(answered: list[tuple[int, tuple[int, int], int]], how: Scoring) -> None:
    found = index(answered, how)
    assert found is not None
    assert 0 <= found <= 1_000_000


@given(items(), st.sampled_from(SCORINGS), st.data())
def test_a_better_answer_never_lowers_the_index(
    answered: list[tuple[int, tuple[int, int], int]], how: Scoring, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(answered) - 1))
    value, scale, weight = answered[at]
    better = [*answered[:at], (data.draw(st.integers(value, scale[1])), scale, weight), *answered[at + 1 :]]
    before, after = index(answered, how), index(better, how)
    assert before is not None
    assert after is not None
    assert after >= before


@given(items(), st.integers(2, 50), st.sampled_from(SCORINGS))
def test_only_the_proportion_of_weights_matters(
    answered: list[tuple[int, tuple[int, int], int]], factor: int, how: Scoring
) -> None:
    assert index([(value, scale, weight * factor) for value, scale, weight in answered], how) == index(answered, how)


@given(items(), st.sampled_from(SCORINGS))
def test_the_order_of_items_does_not_matter(answered: list[tuple[int, tuple[int, int], int]], how: Scoring) -> None:
    assert index(list(reversed(answered)), how) == index(answered, how)
