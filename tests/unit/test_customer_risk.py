"""What others told, folded; and each sign that a customer may leave, with what shows it."""

from datetime import UTC, datetime, timedelta

import pytest

from services.customer.model.heard import Told, cases, responses
from services.customer.model.parts import Contract, Purchase
from services.customer.model.risk import Seen, Weights, reasons, score
from shared.contracts import feedback, survey

NOW = datetime(2026, 6, 1, tzinfo=UTC)
POINTS = {
    "open_complaint": 25,
    "deadline_breached": 15,
    "detractor": 20,
    "score_drop": 15,
    "order_gap": 15,
    "contact_overdue": 10,
    "contract_ends": 10,
}
WEIGHTS = Weights(POINTS, score_drop=10, order_gap=2, contract_ends=timedelta(days=90), version="v")


def told(subject: str, revision: int, event: type[feedback.CaseEvent], day: int, **data: object) -> Told:
    at = NOW + timedelta(days=day)
    return Told(f"{subject}:{revision}", subject, event.TYPE, at, {"cycle": 1, **data})


def response(name: str, day: int, **scores: int) -> Told:
    return Told(f"{name}:1", name, survey.SurveyResponded.TYPE, NOW + timedelta(days=day), scores)


def bought(name: str, days_ago: int, amount: int = 100, *, cancelled: bool = False) -> tuple[str, Purchase]:
    at = NOW - timedelta(days=days_ago)
    return name, Purchase(amount=amount, currency="CNY", occurred_at=at, cancelled=cancelled)


def signed(name: str, ends_in: int | None) -> tuple[str, Contract]:
    ends = None if ends_in is None else NOW + timedelta(days=ends_in)
    moments = {"starts_at": NOW, "amount_told_at": NOW, "end_told_at": NOW}
    return name, Contract(monthly_amount=1, signed_amount=1, currency="CNY", ends_at=ends, **moments)


def test_a_case_stands_where_its_last_step_led_in_whatever_order_it_is_heard() -> None:
    events = [
        told("c", 4, feedback.CaseReopened, -1, cycle=2),
        told("c", 2, feedback.CaseAcknowledged, -3),
        told("c", 3, feedback.CaseClosed, -2, priority="high"),
        told("c", 1, feedback.ComplaintOpened, -4, category="noise", priority="low"),
        told("d", 2, feedback.CaseClosed, -1),
    ]
    (case,) = cases(events)
    assert (case.case_id, case.status, case.open, case.kind) == ("c", "reopened", True, "complaint")
    assert (case.category, case.priority, case.opened_by) == ("noise", "high", "c:1")
    (before,) = cases(events[1:])
    assert (before.status, before.open) == ("closed", False)


def test_every_sign_names_what_shows_it_and_the_sum_is_bounded() -> None:
    heard = [
        told("c", 1, feedback.ComplaintOpened, -9),
        told("c", 2, feedback.SlaBreached, -8),
        told("i", 1, feedback.InquiryOpened, -7),
        response("r1", -20, index=900_000, nps=9),
        response("r2", -10, index=800_000, nps=6),
        response("r3", -5, csat=4),
    ]
    orders = [bought("p1", 40), bought("p2", 30), bought("p3", 25), bought("void", 1, cancelled=True)]
    contracts = [signed("soon", 89), signed("late", 91), signed("open", None)]
    seen = Seen(cases(heard), responses(heard), orders, contracts, unheard="i-9")
    found = reasons(seen, WEIGHTS, NOW)
    assert {one.code: one.about for one in found} == {
        "open_complaint": ("c:1",),
        "deadline_breached": ("c:2",),
        "detractor": ("r2:1",),
        "score_drop": ("r2:1", "r1:1"),
        "order_gap": ("p3",),
        "contact_overdue": ("i-9",),
        "contract_ends": ("soon",),
    }
    assert [one.points for one in found] == [25, 20, 15, 15, 15, 10, 10]
    assert score(found) == 100
    assert score([*found, *found]) == 100


@pytest.mark.parametrize(
    "seen",
    [
        Seen(),
        Seen(responses=[response("r", -1, nps=7)]),
        Seen(responses=[response("r2", -1, index=800_001), response("r1", -2, index=900_000)]),
        Seen(purchases=[bought("p1", 900), bought("p2", 800)]),
        Seen(purchases=[bought("p1", 40), bought("p2", 30), bought("p3", 20)]),
        Seen(contracts=[signed("over", -1)]),
        Seen(cases=cases([told("c", 1, feedback.ComplaintOpened, -2), told("c", 2, feedback.CaseResolved, -1)])),
    ],
)
def test_what_is_no_sign_counts_nothing(seen: Seen) -> None:
    assert reasons(seen, WEIGHTS, NOW) == []
