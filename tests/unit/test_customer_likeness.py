"""Which files are taken for one: known pairs, laws, and duplicates planted in real customer lists."""

import itertools
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.duplicates import LARGEST_BLOCK, Thresholds
from services.customer.model.likeness import likeness, marks, plain_name, plain_phone
from tests.support.planted import File, bundled, olist, plant, telco
from tests.unit.test_customer_lifecycle import ON
from tests.unit.test_policy_packs import POLICIES

SHOWN = Thresholds.of(POLICIES, ON).shown
WORDS = st.one_of(st.none(), st.text(max_size=12))
FILES = st.fixed_dictionaries(dict.fromkeys(("credit_code", "company", "name", "phone", "email", "address"), WORDS))


@pytest.mark.policy("S2-15")
def test_names_and_numbers_are_compared_without_their_form() -> None:
    assert plain_name("华东精密仪器(上海)股份有限公司") == "华东精密仪器 上海"
    assert plain_name("ＡＣＭＥ Tools, Ltd.") == plain_name("acme tools limited") == "acme tools"
    assert plain_name("有限公司") == "有限公司"
    assert plain_phone("+86 138-0013-8000") == plain_phone("13800138000")


@pytest.mark.policy("S2-15")
@pytest.mark.parametrize(
    ("one", "other", "score", "reasons"),
    [
        ({"credit_code": "9"}, {"credit_code": "9", "company": "x"}, 100, ("same_credit_code",)),
        (
            {"credit_code": "9", "company": "华东仪器", "phone": "1"},
            {"credit_code": "8", "company": "华东仪器", "phone": "1"},
            60,
            ("other_credit_code", "same_phone", "same_name"),
        ),
        (
            {"company": "华东仪器", "phone": "1"},
            {"company": "华东仪器有限公司", "phone": "1"},
            100,
            ("same_phone", "same_name"),
        ),
        ({"company": "华东仪器"}, {"company": "华东仪器有限公司"}, 85, ("same_name",)),
        ({"company": "华东仪器"}, {"company": "西南食品"}, 0, ()),
        ({"name": "王芳"}, {"name": "王芳"}, 60, ("alike_name",)),
        ({}, {}, 30, ()),
    ],
)
def test_known_pairs(one: File, other: File, score: int, reasons: tuple[str, ...]) -> None:
    found = likeness(one, other)
    assert (found.score, found.reasons) == (score, reasons)


@pytest.mark.policy("S2-15")
@given(FILES, FILES)
def test_likeness_has_no_direction_and_stays_between_0_and_100(one: File, other: File) -> None:
    assert likeness(one, other) == likeness(other, one)
    assert 0 <= likeness(one, other).score <= 100


@pytest.mark.policy("S2-15", "S0-34")
@pytest.mark.parametrize("source", [bundled, olist, telco])
def test_planted_duplicates_are_found_and_little_else(
    source: Callable[[Path], list[File]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = os.environ.get("MANYI_DATA", "")
    if not folder and source is not bundled:
        pytest.skip("MANYI_DATA names no folder with olist_sample and telco_churn, which are not bundled")
    files, planted = plant(source(Path(folder)), share=0.1, seed=7)
    found = pairs_alike(files)
    recall, precision = len(found & planted) / len(planted), len(found & planted) / len(found)
    with capsys.disabled():
        print(
            f"\n{source.__name__}: {len(files)} files, {len(planted)} planted, {len(found)} found, "
            f"recall {recall:.4f}, precision {precision:.4f}"
        )
    assert recall >= 0.95
    assert precision >= 0.95


def pairs_alike(files: list[File]) -> set[frozenset[str]]:
    """What a scan of these files finds."""
    blocks: dict[tuple[str, str], list[str]] = defaultdict(list)
    by_id: dict[str, Any] = {one["id"]: one for one in files}
    for one in files:
        for mark in marks(one):
            blocks[mark].append(one["id"])
    pairs = {
        frozenset(pair)
        for block in blocks.values()
        if len(block) <= LARGEST_BLOCK
        for pair in itertools.combinations(block, 2)
    }
    return {pair for pair in pairs if likeness(*(by_id[one] for one in pair)).score >= SHOWN}
