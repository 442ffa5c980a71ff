"""Sums by cut from columns are the sums that plain counting gives, whatever dimensions a row lacks."""

from hypothesis import given
from hypothesis import strategies as st

from shared.plumbing.cells import Cuts
from shared.plumbing.projection import Cut, Row, Values
from shared.plumbing.rows import Group, Rows

NAMES = ("a", "b", "c")
CUTS = Cuts.of(NAMES, crossed=["a"], pairs=[("b", "c")])
DIMS = st.dictionaries(st.sampled_from([*NAMES, "undeclared"]), st.sampled_from(["x", "y", "|"]))
ROWS = st.lists(
    st.tuples(
        st.tuples(
            DIMS.map(lambda dims: tuple(dims.items())),
            st.sampled_from(["n", "sum"]),
            st.sampled_from(["2026-01-01", "2026-01"]),
        ),
        st.integers(-3, 3) | st.integers(-(2**53), 2**53),
    ),
    max_size=4,
)
FACTS = st.lists(
    st.tuples(DIMS, st.sampled_from([("f", "2026-02-01"), ("g", "2026-02-02")]), ROWS, st.sampled_from([1, -1])),
    max_size=12,
)


def columns_and_plain_counting_agree(told: list[tuple[dict[str, str], Group, list[Row], int]]) -> None:
    counted = Rows()
    for dims, group, rows, sign in told:
        counted.add(group, dims, rows, sign)
    found: dict[tuple[Cut, Values, tuple[Group, str, str]], int] = {}
    for cut, summed in counted.sums(CUTS.dimensions, CUTS.within):
        columns = (column.tolist() for column in (summed.parts, summed.points, summed.amounts))
        for part, point, amount in zip(*columns, strict=True):
            place = (cut, summed.values[part], counted.points[point])
            assert place not in found
            found[place] = amount
    expected: dict[tuple[Cut, Values, tuple[Group, str, str]], int] = {}
    for cut in CUTS.declared:
        for dims, group, rows, sign in told:
            for (own, name, bucket), amount in rows:
                all_dims = {**dims, **dict(own)}
                if all_dims.keys() >= set(cut):
                    place = (cut, tuple(all_dims[name] for name in cut), (group, name, bucket))
                    expected[place] = expected.get(place, 0) + sign * amount
    assert found == {place: amount for place, amount in expected.items() if amount}


@given(told=FACTS)
def test_every_cut_sums_the_rows_that_have_its_dimensions(
    told: list[tuple[dict[str, str], Group, list[Row], int]],
) -> None:
    columns_and_plain_counting_agree(told)


def test_values_that_hardly_repeat_are_summed_all_the_same() -> None:
    rows: list[Row] = [(((), "n", "2026-01-01"), 1), (((("a", "x"),), "n", "2026-01-02"), 2)]
    columns_and_plain_counting_agree(
        [({"a": str(number), "b": str(-number % 90), "c": "z"}, ("f", "2026-02-01"), rows, 1) for number in range(99)]
    )
