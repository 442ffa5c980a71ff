"""What the policies say about customer files: codes, file names, formats, and what must be known."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.model.customer import Customer
from services.customer.model.files import PartnerRefused, check_partner
from services.customer.model.filing import (
    FieldMalformed,
    FieldsMissing,
    Filing,
    TemplateUnsound,
    natural_key,
    sound_credit_code,
)
from shared.policy.shelf import read_policies
from tests.support.limits import version
from tests.unit.test_policy_packs import layered, setting

ON = date(2026, 11, 23)
FILING = Filing.of(read_policies(["s0-enterprise", "s4-engineering", "s1s2s3-general"]), ON)
SOUND = "91350100M000100Y43"
"""The example of GB 32100-2015."""


@pytest.mark.policy("S2-17")
def test_a_code_is_made_from_the_template_and_names_its_policy_version() -> None:
    made = FILING.code(42)
    assert made.code == "C-000042"
    assert made.policy_version.startswith("s1s2s3-general/")


@pytest.mark.policy("S2-17")
def test_a_template_without_a_number_is_refused_since_codes_would_repeat() -> None:
    ours = layered(version("1", "2026-01-01", setting("customer.code.template", "C-{year}", unit="template")))
    with pytest.raises(TemplateUnsound, match=r"\{number\}"):
        Filing.of(ours, ON)


@pytest.mark.policy("S0-35")
def test_both_forms_of_a_file_name_are_read_and_the_configured_one_is_written() -> None:
    assert FILING.read_file_name("X2023-07") == FILING.read_file_name("X-2023-07") == "X"
    assert FILING.file_name("X", datetime(2023, 7, 4)) == "X-2023-07"  # noqa: DTZ001 - local
    for wrong in ("X-2023-13", "2023-07", "X-2023", ""):
        with pytest.raises(FieldMalformed):
            FILING.read_file_name(wrong)


@pytest.mark.policy("S0-35")
@given(number=st.integers(1, 10**8), opened=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_every_written_name_leads_back_to_its_code(number: int, opened: datetime) -> None:
    code = FILING.code(number).code
    assert FILING.read_file_name(FILING.file_name(code, opened)) == code


@pytest.mark.policy("S2-18")
@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("phone", "+8613800138000", "1380013800"),
        ("phone", "0571-88888888", "none"),
        ("email", "a@example.com", "a@example"),
        ("credit_code", SOUND, "91350100M000100Y44"),
        ("kind", "indirect", "sideways"),
        ("channel", "visit", "telepathy"),
        ("lawful_basis", "consent", "habit"),
    ],
)
def test_fields_are_written_as_the_policy_asks(field: str, good: str, bad: str) -> None:
    FILING.check({field: good})
    with pytest.raises(FieldMalformed, match=field):
        FILING.check({field: bad})


@pytest.mark.policy("S2-18")
@given(place=st.integers(0, 17), sign=st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_sign_of_a_credit_code_is_always_found(place: int, sign: str) -> None:
    changed = SOUND[:place] + sign + SOUND[place + 1 :]
    assert sound_credit_code(changed) == (changed == SOUND)


@pytest.mark.policy("S1-03", "S1-04")
def test_a_file_is_not_opened_without_what_the_first_contact_collects() -> None:
    whole = {"name": "a", "company": "b", "email": "a@example.com", "needs": "c", "lawful_basis": "consent"}
    FILING.check_opening(whole)
    for name, said in {"name": "name", "email": "contact", "needs": "needs", "lawful_basis": "lawful_basis"}.items():
        with pytest.raises(FieldsMissing, match=f"missing: {said}$"):
            FILING.check_opening({**whole, name: None})


@pytest.mark.policy("S2-10")
def test_what_a_complete_file_still_needs_is_listed() -> None:
    assert FILING.incomplete({"company": "b", "phone": "1", "size": "small"}) == ["contact_person", "industry"]


@pytest.mark.policy("S0-34")
def test_the_same_customer_is_recognised_by_credit_code_or_by_name_and_number() -> None:
    known = natural_key({"company": "华东仪器", "phone": "13800138000", "needs": "x"})
    for phone in ("138 0013 8000", "+8613800138000", "１３８-0013-8000"):
        assert natural_key({"company": " 华东 仪器", "phone": phone}) == known, phone
    assert natural_key({"company": "华东仪器", "phone": "13800138001"}) != known
    assert natural_key({"name": "a", "email": "A@Example.com "}) == natural_key({"name": "a", "email": "a@example.com"})
    assert natural_key({"credit_code": SOUND, "name": "a"}) == natural_key({"credit_code": SOUND, "name": "b"})
    assert natural_key({"company": "华东仪器"}) is None


@pytest.mark.policy("S3-12")
def test_only_an_indirect_customer_has_a_partner_and_only_a_known_one() -> None:
    partner = Customer(customer_id="p", code="C-1")
    check_partner({"partner_id": "p"}, "indirect", partner)
    check_partner({}, "direct", None)
    with pytest.raises(PartnerRefused, match="kind indirect"):
        check_partner({"partner_id": "p"}, "direct", partner)
    with pytest.raises(PartnerRefused, match="no customer p"):
        check_partner({"partner_id": "p"}, "indirect", None)
