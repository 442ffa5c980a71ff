"""Sums by cut from columns are the sums that plain counting gives, whatever dimensions a row lacks."""

from hypothesis import given
from hypothesis import strategies as st

from shared.plumbing.cells import Cuts
from shared.plumbing.rows import Cut, Rows

NAMES = ("a", "b", "c")
CUTS = Cuts.of(NAMES, crossed=["a"], pairs=[("b", "c")])
rows = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from([*NAMES, "undeclared"]), st.sampled_from(["x", "y", "|"])),
        st.sampled_from([("n", "2026-01-01"), ("sum", "2026-01-01"), ("n", "2026-01")]),
        st.integers(-3, 3),
    ),
    max_size=30,
)


@given(told=rows)
def test_every_cut_sums_the_rows_that_have_its_dimensions(
    told: list[tuple[dict[str, str], tuple[str, str], int]],
) -> None:
    counted = Rows()
    for dims, point, amount in told:
        counted.add(dims, point, amount)
    points = list(counted.numbers)
    found: dict[tuple[Cut, tuple[str, ...], tuple[str, str]], int] = {}
    for cut, table in counted.tables(CUTS.dimensions, CUTS.within):
        for key, amount in table.items():
            if amount and None not in key:
                found[cut, key[:-1], points[key[-1]]] = amount
    expected: dict[tuple[Cut, tuple[str, ...], tuple[str, str]], int] = {}
    for cut in CUTS.declared:
        for dims, point, amount in told:
            if dims.keys() >= set(cut):
                place = (cut, tuple(dims[name] for name in cut), point)
                expected[place] = expected.get(place, 0) + amount
    assert found == {place: amount for place, amount in expected.items() if amount}
