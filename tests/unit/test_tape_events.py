"""Every event of every tape is what intake accepts; tapes without bundled data also on small rows made here."""

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.tapes.events import Event, Playing
from deploy.tapes.tape import BUNDLED, TAPES, load_tape
from shared.contracts.envelope import parse_moment
from shared.contracts.intake import CUSTOMER_INTAKE, FEEDBACK_INTAKE, SURVEY_INTAKE
from tests.unit.test_tape_facts import TAPES as NAMES
from tests.unit.test_tape_facts import events_of

CLASSES = {
    (topic, accepted.TYPE): accepted
    for topic, classes in {
        "customer-intake": CUSTOMER_INTAKE,
        "survey-intake": SURVEY_INTAKE,
        "feedback-intake": FEEDBACK_INTAKE,
    }.items()
    for accepted in classes
}
COUNTS = {
    "telco": {"customer.registered": 7043, "contract.signed": 7043, "contract.ended": 1869},
    "online-retail": {"order.placed": 1724},
    "incident-log": {"complaint.received": 9202, "case.updated": 59354},
    "known-answers": {"survey.answered": 1859, "contract.signed": 248, "contract.ended": 13},
    "telco-v11": {"survey.answered": 7043},
    "olist": {"order.placed": 5637, "order.cancelled": 428, "survey.answered": 5697},
    "cdnow": {"order.placed": 6919},
}


def assert_accepted(events: list[Event]) -> None:
    """By the contract, and by what CloudEvents says of ids; the business identity of each fact is its own too."""
    identities = []
    for event in events:
        body = event.body
        accepted = CLASSES[event.topic, body["type"]]
        data = accepted.model_validate(json.loads(event.json())["data"])
        parse_moment(body["time"])
        assert re.fullmatch(r"[A-Za-z]+/[A-Za-z_]+", body["timezone"])
        parts = tuple(str(getattr(data, name)) for name in accepted.IDENTITY) or (body["id"],)
        identities.append((body["source"], body["type"], *parts))
    assert len(set(identities)) == len(identities)
    assert len({(event.body["source"], event.body["id"]) for event in events}) == len(events)


@pytest.mark.parametrize("tape", NAMES)
def test_intake_accepts_every_event(tape: str) -> None:
    events = events_of(tape)
    assert Counter(event.body["type"] for event in events) == COUNTS[tape]
    assert_accepted(events)


def test_every_tape_is_listed_and_names_where_its_data_come_from() -> None:
    written = {path.stem.replace("_", "-") for path in TAPES.glob("*.yaml")}
    assert written == set(NAMES)
    assert set(BUNDLED) < written
    notice = (TAPES / "data" / "NOTICE.md").read_text()
    assert {path.name for path in (TAPES / "data").iterdir() if path.name not in notice} == {"NOTICE.md"}


def generate(tape: str, folder: Path, files: dict[str, str]) -> list[dict[str, Any]]:
    for name, text in files.items():
        (folder / name).write_text(text)
    unmapped: list[object] = []
    events = list(Playing(load_tape(tape, folder)).events(unmapped.append))
    assert unmapped == []
    assert_accepted(events)
    return [event.body for event in events]


def test_olist_joins_orders_customers_payments_and_reviews(tmp_path: Path) -> None:
    bodies = generate(
        "olist",
        tmp_path,
        {
            "olist_orders_dataset.csv": "order_id,customer_id,order_status,order_purchase_timestamp\n"
            "o1,c1,delivered,2018-01-02 23:30:00\no2,c2,canceled,2018-02-17 23:30:00\n",
            "olist_customers_dataset.csv": "customer_id,customer_unique_id,customer_state\nc1,ana,SP\nc2,ana,RJ\n",
            "olist_order_payments_dataset.csv": "order_id,payment_value\no1,10.10\no1,0.05\n",
            "olist_order_reviews_dataset.csv": "review_id,order_id,review_score,review_comment_title,"
            "review_comment_message,review_answer_timestamp\n"
            'r1,o1,5,,"Ótimo,\nchegou",2018-01-18 19:12:30\nr1,o2,1,Nada,,2018-07-18 00:00:00\n',
        },
    )
    placed, other, cancelled, good, bad = bodies
    assert (placed["time"], placed["data"]["amount"]) == ("2018-01-02T23:30:00-02:00", 1015)
    assert (other["data"]["customer"], other["data"]["dims"], other["data"]["amount"]) == ("ana", {"region": "RJ"}, 0)
    assert (cancelled["type"], cancelled["data"]) == ("order.cancelled", {"customer": "ana", "order": "o2"})
    assert good["data"]["response"] == "r1-o1"
    assert [answer.get("comment") for answer in good["data"]["answers"]] == [None, "Ótimo,\nchegou"]
    assert (bad["time"], bad["data"]["answers"][1]["question"]) == ("2018-07-18T00:00:00-03:00", "review-title")


def test_telco_v11_joins_contract_and_state(tmp_path: Path) -> None:
    (body,) = generate(
        "telco-v11",
        tmp_path,
        {
            "Telco_customer_churn_status.csv": "Customer ID,Satisfaction Score,Customer Status\nX-1,4,Joined\n",
            "Telco_customer_churn_services.csv": "Customer ID,Contract\nX-1,One Year\n",
            "Telco_customer_churn_location.csv": "Customer ID,State\nX-1,California\n",
        },
    )
    assert body["data"]["answers"] == [
        {"question": "satisfaction-score", "metric": "csat", "scale": [1, 5], "value": 4}
    ]
    assert body["data"]["dims"] == {"contract": "One Year", "region": "California", "customer_status": "Joined"}


def test_cdnow_rows_are_orders_also_twice_and_of_no_value(tmp_path: Path) -> None:
    text = " 00004 0001 19970101  2   29.33\n 00004 0001 19970101  2   29.33\n 00021 0002 19970704  1    0.00\n"
    bodies = generate("cdnow", tmp_path, {"CDNOW_sample.txt": text})
    assert [(b["time"], b["data"]["customer"], b["data"]["amount"]) for b in bodies] == [
        ("1997-01-01T00:00:00-05:00", "0001", 2933),
        ("1997-01-01T00:00:00-05:00", "0001", 2933),
        ("1997-07-04T00:00:00-04:00", "0002", 0),
    ]


def test_telco_contracts_begin_before_the_month_and_end_inside_it() -> None:
    start, end = datetime.fromisoformat("2026-09-01T00:00-07:00"), datetime.fromisoformat("2026-10-01T00:00-07:00")
    for event in events_of("telco"):
        if event.body["type"] == "contract.ended":
            assert start < event.time < end
        else:
            assert event.time <= start


def test_incident_steps_do_not_know_what_has_not_happened() -> None:
    for event in events_of("incident-log"):
        data, status = event.body["data"], event.body["data"].get("status")
        assert ("slaKept" in data) == (status == "closed")
        assert ("timeKnown" in data) == (status == "resolved")
        assert set(data) <= {"case", "status", "reopenCount", "timeKnown", "by", "priority", "slaKept"} | (
            {"customer", "kind", "channel", "category", "dims"} if status is None else set()
        )
