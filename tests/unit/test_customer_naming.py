"""Normal forms by which names, phones and e-mails are compared, and where a search in a company's name may begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.model.naming import (
    PART_LENGTH,
    company_parts,
    ends_of,
    normal_company,
    normal_email,
    normal_name,
    normal_phone,
)


@pytest.mark.parametrize(
    "written", ["+86 138-0013-8000", "0086 13800138000", "138 0013 8000", "１３８００１３８０００"]
)
def test_one_number_in_many_writings(written: str) -> None:
    assert normal_phone(written) == "13800138000"


@pytest.mark.parametrize(
    ("written", "normal"), [("+44 20 7946 0958", "442079460958"), ("021-6888 0000", "02168880000")]
)
def test_other_numbers_keep_their_digits(written: str, normal: str) -> None:
    assert normal_phone(written) == normal


def test_names_and_addresses() -> None:
    assert normal_name("欧阳·娜娜") == normal_name(" 欧阳 娜娜 ") == "欧阳娜娜"
    assert normal_name("Anna  O'Neil") == normal_name("ANNA ONEIL")
    assert normal_email(" Wang.Fang@Example.COM ") == "wang.fang@example.com"


def test_a_company_is_found_from_every_word_and_every_chinese_sign() -> None:
    parts = company_parts("华东精密（ABC Tools）有限公司")
    normal = normal_company("华东精密（ABC Tools）有限公司")
    for sought in ("华东", "精密", "abc tools", "tools", "有限公司"):
        assert any(part.startswith(sought) for part in parts), sought
    assert not any(part.startswith("ools") for part in parts)
    assert all(len(part) <= PART_LENGTH and part in normal for part in parts)
    assert company_parts(None) == company_parts("  ") == []


@given(st.text("东南abc1é ", min_size=1, max_size=90), st.data())
def test_what_a_name_contains_from_a_word_or_sign_on_is_found_however_long(name: str, data: st.DataObject) -> None:
    normal = normal_company(name)
    within = [start > 0 and {normal[start - 1], sign} <= set("abc1") for start, sign in enumerate(normal)]
    for start, sign in enumerate(normal):
        if sign == " " or within[start]:
            continue
        part = normal_company(normal[start : data.draw(st.integers(start + 1, len(normal)))])
        for end in ends_of(part):
            assert any(one.startswith(end) for one in company_parts(name)), (part, end)


def test_a_long_part_is_found_by_both_its_ends() -> None:
    branch = "中国某某集团股份有限公司西南油气田分公司川东北气矿第三十七作业区"
    assert ends_of("机械") == ["机械"]
    assert ends_of(branch) == [branch[:PART_LENGTH], branch[-PART_LENGTH:]]
    assert ends_of(f"{branch} abcdefghijklmnopqrstuvwxyz") == [branch[:PART_LENGTH]], "a word longer than what is kept"
