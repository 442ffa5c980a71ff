"""Identity: the same name everywhere for the same thing, another for every other."""

from hypothesis import given
from hypothesis import strategies as st

from shared.plumbing.identity import Identity

OURS = Identity(b"\x01" * 32)
names = st.text(max_size=6) | st.sampled_from(["a", "b", "a\x1fb", "\x1f", "", "0:", "1:a"])
things = st.tuples(names, names, names)


def test_a_name_is_the_same_in_every_process() -> None:
    assert OURS.customer("shop", "k-1") == Identity(b"\x01" * 32).of("customer", "shop", "k-1")
    assert len(OURS.customer("shop", "k-1")) == 32


def test_another_installation_names_otherwise() -> None:
    assert OURS.customer("shop", "k-1") != Identity(b"\x02" * 32).customer("shop", "k-1")


@given(things, things)
def test_different_things_never_share_a_name(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (OURS.of(*one) == OURS.of(*other)) == (one == other)


def test_a_separator_inside_a_name_moves_no_border() -> None:
    assert OURS.of("customer", "a\x1fb", "c") != OURS.of("customer", "a", "b\x1fc")
