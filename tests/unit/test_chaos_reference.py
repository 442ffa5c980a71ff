"""The oracle of `manyi chaos` sees what it must see, and the page shows what a run printed."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.chaos.comparing import differences
from deploy.chaos.page import BEGIN, END, table, written
from deploy.chaos.reference import expected

LEDGER: list[dict[str, Any]] = [
    {"kind": "response", "id": "r1", "day": "2026-02-03", "region": "north", "value": 5},
    {"kind": "response", "id": "r2", "day": "2026-05-03", "region": "south", "value": 1},
    {"kind": "response", "id": "r2", "day": "2026-05-03", "region": "south", "value": 1},
    {"kind": "cancel", "id": "o1", "day": "2026-02-04"},
    {"kind": "order", "id": "o1", "day": "2026-02-03", "region": "north", "amount": 7, "customer": "a"},
    {"kind": "order", "id": "o2", "day": "2026-02-03", "region": "north", "amount": 10, "customer": "a"},
    {"kind": "order", "id": "o3", "day": "2026-02-04", "region": "north", "amount": 20, "customer": "a"},
    {"kind": "complaint", "id": "c1", "category": "delivery"},
]


@pytest.fixture
def wanted(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(call) + "\n" for call in LEDGER))
    return expected(path, "2026-11-01")


def test_what_was_told_twice_counts_once_and_what_was_cancelled_not_at_all(wanted: dict[str, Any]) -> None:
    assert wanted["responses?by=region"] == {"": {"n": 2}, "north": {"n": 1}, "south": {"n": 1}}
    assert wanted["purchases?by=region"][""] == {"n": 2, "amount": 30}
    assert wanted["repeat_purchases?by=region"][""] == {"n": 1, "count": 1}
    assert wanted["responses?by=region&from=2026-02-01&to=2026-04-01"][""] == {"n": 1}


def test_a_low_score_opens_a_complaint(wanted: dict[str, Any]) -> None:
    assert wanted["complaints_opened?by=category"] == {"": {"n": 2}, "delivery": {"n": 1}, "low_score": {"n": 1}}


def test_what_is_equal_differs_nowhere(wanted: dict[str, Any]) -> None:
    assert differences(wanted, wanted).nothing


@pytest.mark.parametrize(("found", "lost", "doubled"), [(0, 1, 0), (2, 0, 1)])
def test_a_lost_and_a_doubled_call_are_told(wanted: dict[str, Any], found: int, lost: int, doubled: int) -> None:
    question = "responses?by=region"
    difference = differences(wanted, {**wanted, question: {**wanted[question], "north": {"n": found}}})
    assert (difference.lost, difference.doubled, difference.wrong) == (lost, doubled, 1)


def test_a_group_nobody_spoke_of_is_wrong(wanted: dict[str, Any]) -> None:
    question = "purchases?by=region"
    difference = differences(wanted, {**wanted, question: {**wanted[question], "west": {"n": 1, "amount": 5}}})
    assert (difference.doubled, difference.wrong) == (1, 1)


def test_the_page_shows_a_run_in_place_of_the_last_one() -> None:
    result = {
        **dict.fromkeys(("cycles", "acknowledged", "lost", "doubled", "wrong"), 0),
        "recovery_s": 7.5,
        "recovery_median_s": 3.25,
        "notes": [],
    }
    run = {"seed": 9, "rate": 60.0, "seconds": 11, "machine": {"processors": 2}, "faults": {"F2": result}}
    assert "| F2 | kill -9 of mongod under load, in the middle of transactions | 0 | 0 |" in table(run)
    page = written(f"# Title\n\n{BEGIN}old\n{END}after\n", [run])
    assert page.startswith("# Title\n\n")
    assert page.endswith(f"{END}after\n")
    assert "old" not in page
