"""Whether a topic is the one that was seen: the rule alone."""

import pytest

from shared.plumbing.standing import Kept, refusal, said_by

KEPT = Kept(firsts=[(0, "a"), None], ends=[5, 0])


@pytest.mark.parametrize(
    ("bounds", "marks"),
    [
        ([(0, 5), (0, 0)], {0: "a"}),  # nothing happened
        ([(0, 9), (0, 3)], {0: "a", 1: "new"}),  # it grew
        ([(0, 5), (0, 0)], {}),  # nothing was read
        ([(3, 9), (0, 0)], {0: "later"}),  # the beginning is gone: the cursors know whether that matters
    ],
)
def test_the_same_topic(bounds: list[tuple[int, int]], marks: dict[int, str]) -> None:
    assert refusal("t", KEPT, bounds, marks) is None


@pytest.mark.parametrize(
    ("bounds", "marks", "why"),
    [
        ([(0, 5), (0, 0), (0, 0)], {0: "a"}, "t has 3 partitions and had 2"),
        ([(0, 5)], {0: "a"}, "t has 1 partitions and had 2"),
        ([(0, 4), (0, 0)], {0: "a"}, "t/0 ends at offset 4 and once ended at 5"),
        ([(0, 5), (0, 0)], {0: "b"}, "t/0 begins with another record"),
    ],
)
def test_another_topic(bounds: list[tuple[int, int]], marks: dict[int, str], why: str) -> None:
    assert (refusal("t", KEPT, bounds, marks) or "").startswith(why)


def test_only_our_own_events_must_be_in_our_journal() -> None:
    assert said_by("manyi/customer", b'{"source": "manyi/customer", "subject": "s", "revision": 3}') == "s:3"
    for foreign in (None, b"", b"\xff", b"[]", b"7", b"{}", b'{"source": "manyi/customer"}', b'{"source": "x"}'):
        assert said_by("manyi/customer", foreign) is None
