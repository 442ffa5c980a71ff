"""Where a request stands says how its deadline was counted, as long as it is open."""

from datetime import date

import pytest

from services.customer.views.standing import standing
from shared.policy.calendar.business import Calendar
from tests.unit.test_approval_chains import CALENDAR, CEO, FINANCE, HEAD, POLICIES, approved, submitted


@pytest.mark.policy("S0-31")
def test_an_open_deadline_explains_its_arithmetic_in_both_languages() -> None:
    shown = standing(submitted(), CALENDAR)
    assert "due 2026-10-13 24:00" in shown["why"]["en"]
    assert "10-10" in shown["why"]["zh"], "the make-up workday that counts"
    assert standing(submitted())["why"] == {}
    assert standing(approved(submitted(), HEAD, FINANCE, CEO), CALENDAR)["why"] == {}
    company = POLICIES.value("calendar.company", date(2026, 10, 9)).value
    edited = Calendar(company.model_copy(update={"hours": ("09:00-12:00",)}), "test")
    assert edited.version != CALENDAR.version
    assert standing(submitted(), edited)["why"] == {}, "it was counted by another calendar"
