"""Undo patches lead back, and stay small."""

from hypothesis import given
from hypothesis import strategies as st

from shared.plumbing.projection import Fact
from shared.plumbing.undo import undo, undone

values = st.none() | st.integers(-9, 9) | st.text(max_size=2) | st.lists(st.integers(0, 3), max_size=2)
facts: st.SearchStrategy[Fact] = st.recursive(
    st.dictionaries(st.sampled_from("abc"), values, max_size=3),
    lambda below: st.dictionaries(st.sampled_from("abc"), values | below, max_size=3),
    max_leaves=12,
)


@given(facts, facts)
def test_the_patch_leads_back_and_changes_nothing_else(older: Fact, newer: Fact) -> None:
    before = repr((older, newer))
    patch = undo(older, newer)
    assert undone(newer, patch) == older
    assert (patch == {}) == (older == newer)
    assert repr((older, newer)) == before


def test_only_the_difference_is_kept() -> None:
    orders = {str(number): {"amount": number} for number in range(100)}
    older: Fact = {"orders": orders, "day": "2026-03-01"}
    newer: Fact = {"orders": {**orders, "100": {"amount": 1}, "5": {"amount": 6}}, "day": "2026-03-01"}
    assert undo(older, newer) == {"in": {"orders": {"drop": ["100"], "in": {"5": {"put": {"amount": 5}}}}}}
