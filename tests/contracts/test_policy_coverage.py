"""The page of policy coverage says what the tests' marks say, and every mark names a row that exists."""

from shared.policy.soundness import ROWS as LAST_ROWS
from tests.support.policy_coverage import PAGE, Row, marks, named, page, rows

SAMPLE = """
import pytest
pytestmark = pytest.mark.policy("S0-01")
@pytest.mark.policy("S0-02", "S0-03")
def test_one(): pytest.param(1, marks=pytest.mark.policy("S0-04"))
def test_two(): other.policy("S0-05")
"""


def test_every_row_of_the_sources_is_listed_once() -> None:
    expected = [f"{source}-{number:02}" for source, last in LAST_ROWS.items() for number in range(1, last + 1)]
    assert list(rows()) == expected


def test_marks_are_found_wherever_they_stand() -> None:
    assert sorted(named(SAMPLE)) == ["S0-01", "S0-02", "S0-03", "S0-04"]


def test_every_mark_names_a_row_that_software_can_show() -> None:
    known = rows()
    for name, modules in marks().items():
        assert name in known, f"{sorted(modules)} name {name}, which is no row of docs/policy-rows.yaml"
        assert known[name].organisational is None, f"{name} is called organisational, yet {sorted(modules)} show it"


def test_the_page_is_as_the_marks_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(rows(), marks()), "run: python -m tests.support.policy_coverage"


def test_states_tell_shown_from_open_and_organisational() -> None:
    known = {
        "S0-01": Row(term="a", owner=["CUS"]),
        "S0-02": Row(term="b", owner=["X"], organisational="people decide"),
        "S0-03": Row(term="c", owner=["REP", "FBK"]),
    }
    lines = page(known, {"S0-01": {"tests/unit/test_x.py"}}).splitlines()[-3:]
    assert lines == [
        "| S0-01 | a | CUS | shown | [test_x](../tests/unit/test_x.py) |",
        "| S0-02 | b | X | organisational | people decide |",
        "| S0-03 | c | REP, FBK | open |  |",
    ]
