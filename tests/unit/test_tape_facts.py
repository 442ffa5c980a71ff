"""What the tapes' events say, and what the raw files say when read without the tapes: it must be the same."""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deploy.tapes.events import Event, Playing
from deploy.tapes.tape import DATA, load_tape

TAPES = ("telco", "online-retail", "incident-log", "known-answers", "telco-v11", "olist", "cdnow")
NOT_BUNDLED = {"telco-v11": "telco_churn/v11", "olist": "olist_sample", "cdnow": "cdnow_sample"}


@dataclass
class Facts:
    """What happened, in local wall-clock times of the source and minor units; built twice, from events and by hand."""

    orders: list[tuple[str, str, datetime, int, str]] = field(default_factory=list)
    """order, customer, time, amount, region; cancelled ones are not among them"""
    answers: list[tuple[str, str, str, datetime, int, tuple[int, int], int, str, dict[str, str]]] = field(
        default_factory=list
    )
    """source, response, metric, time, value, scale, weight, scoring, dims"""
    contracts: dict[str, list[Any]] = field(default_factory=dict)
    """contract → [source, start, end or None, monthly amount, dims]"""
    cases: dict[str, list[Any]] = field(default_factory=dict)
    """case → [opened, channel, [(time, status, reopen count, time known, priority, SLA kept)]]"""


def data_folder(tape: str) -> Path | None:
    """Where a tape's files are; skips with the reason where they are not bundled and MANYI_DATA is not set."""
    if tape not in NOT_BUNDLED:
        return None
    named = os.environ.get("MANYI_DATA")
    if not named:
        pytest.skip(f"MANYI_DATA names no folder with {NOT_BUNDLED[tape]}, which is not bundled")
    return Path(named)


@cache
def events_of(tape: str) -> list[Event]:
    """All events of a tape, made once for all tests; every row must be readable."""
    unmapped: list[object] = []
    events = list(Playing(load_tape(tape, data_folder(tape))).events(unmapped.append))
    assert unmapped == []
    return events


def facts_of(events: list[Event]) -> Facts:
    """Read the facts out of the events as a service would."""
    facts = Facts()
    cancelled = {e.body["data"]["order"] for e in events if e.body["type"] == "order.cancelled"}
    for event in events:
        data, source = event.body["data"], event.body["source"]
        at = datetime.fromisoformat(event.body["time"]).replace(tzinfo=None)
        match event.body["type"]:
            case "order.placed" if data["order"] not in cancelled:
                region = data.get("dims", {}).get("region", "")
                facts.orders.append((data["order"], data["customer"], at, data["amount"], region))
            case "survey.answered":
                for a in (a for a in data["answers"] if "value" in a):
                    how = tuple(a["scale"]), a.get("weight", 1), data.get("scoring", "ratio_to_max")
                    facts.answers.append(
                        (source, data["response"], a["metric"], at, a["value"], *how, data.get("dims", {}))
                    )
            case "contract.signed":
                start = datetime.fromisoformat(data["startsAt"]).replace(tzinfo=None)
                facts.contracts[data["contract"]] = [source, start, None, data["monthlyAmount"], data.get("dims", {})]
            case "contract.ended":
                facts.contracts[data["contract"]][2] = at
            case "complaint.received":
                facts.cases[data["case"]] = [at, data["channel"], []]
            case "case.updated":
                said = data["status"], data["reopenCount"], data.get("timeKnown", True)
                step = (at, *said, data.get("priority"), data.get("slaKept"))
                facts.cases[data["case"]][2].append(step)
    return facts


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Plain reading, packed or not; of two columns of one name the first counts."""
    packed = path.with_name(path.name + ".gz")
    with gzip.open(packed, "rt", encoding="utf-8", newline="") if packed.exists() else path.open(newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        for row in reader:
            yield dict(reversed(list(zip(header, row, strict=True))))


@cache
def raw_facts(tape: str) -> Facts:
    """The same facts from the files alone, with nothing of the tapes' code."""
    folder = (data_folder(tape) or DATA) / NOT_BUNDLED.get(tape, "")
    facts = Facts()
    READERS[tape](folder, facts)
    return facts


def _telco(folder: Path, facts: Facts) -> None:
    for number, row in enumerate(rows(folder / "Telco-Customer-Churn.csv"), 1):
        month = 2026 * 12 + 8 - int(row["tenure"])
        end = datetime(2026, 9, 1, 1) + timedelta(minutes=number * 37 % 43080) if row["Churn"] == "Yes" else None  # noqa: DTZ001
        names = {"contract": "Contract", "internet_service": "InternetService", "payment_method": "PaymentMethod"}
        dims = {name: row[column] for name, column in names.items()}
        dims["senior_citizen"] = {"0": "no", "1": "yes"}[row["SeniorCitizen"]]
        amount = int(Decimal(row["MonthlyCharges"]) * 100)
        start = datetime(month // 12, month % 12 + 1, 1)  # noqa: DTZ001
        facts.contracts[row["customerID"]] = ["telco", start, end, amount, dims]


def _online_retail(folder: Path, facts: Facts) -> None:
    invoices: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(folder / "online_retail_sample.csv"):
        if row["InvoiceNo"][0] != "C" and int(row["Quantity"]) > 0 and Decimal(row["UnitPrice"]) > 0:
            invoices[row["InvoiceNo"]].append(row)
    for invoice, lines in invoices.items():
        amount = sum(int(line["Quantity"]) * Decimal(line["UnitPrice"]) for line in lines) * 100
        assert amount == int(amount)
        at = datetime.fromisoformat(min(line["InvoiceDate"] for line in lines))
        facts.orders.append((invoice, lines[0]["CustomerID"][:-2], at, int(amount), lines[0]["Country"]))


def _incident_log(folder: Path, facts: Facts) -> None:
    words = {"New": "acknowledged", "Awaiting User Info": "waiting", "Resolved": "resolved", "Closed": "closed"}
    for row in rows(folder / "incident_event_log_2016q1.csv"):
        opened, updated = (datetime.strptime(row[c], "%d/%m/%Y %H:%M") for c in ("opened_at", "sys_updated_at"))  # noqa: DTZ007
        status = words.get(row["ident_state"], "working")
        known = status != "resolved" or row["resolved_at"] != "?"
        last = (row["priority"], row["made_sla"] == "true") if status == "closed" else (None, None)
        case = facts.cases.setdefault(row["number"], [opened, row["contact_type"].lower(), []])
        case[2].append((updated, status, int(row["reopen_count"]), known, *last))


def _telco_v11(folder: Path, facts: Facts) -> None:
    contract = {r["Customer ID"]: r["Contract"] for r in rows(folder / "Telco_customer_churn_services.csv")}
    state = {r["Customer ID"]: r["State"] for r in rows(folder / "Telco_customer_churn_location.csv")}
    for number, row in enumerate(rows(folder / "Telco_customer_churn_status.csv"), 1):
        who = row["Customer ID"]
        at = datetime(2026, 7, 1) + timedelta(minutes=number * 17)  # noqa: DTZ001
        dims = {"contract": contract[who], "region": state[who], "customer_status": row["Customer Status"]}
        score = int(row["Satisfaction Score"])
        facts.answers.append(("telco-v11", who, "csat", at, score, (1, 5), 1, "ratio_to_max", dims))


def _olist(folder: Path, facts: Facts) -> None:
    people = {r["customer_id"]: r for r in rows(folder / "olist_customers_dataset.csv")}
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows(folder / "olist_order_payments_dataset.csv"):
        paid[row["order_id"]] += Decimal(row["payment_value"]) * 100
    region = {}
    for row in rows(folder / "olist_orders_dataset.csv"):
        person, order = people[row["customer_id"]], row["order_id"]
        region[order] = person["customer_state"]
        if row["order_status"] != "canceled":
            at = datetime.fromisoformat(row["order_purchase_timestamp"])
            facts.orders.append((order, person["customer_unique_id"], at, int(paid[order]), region[order]))
    for row in rows(folder / "olist_order_reviews_dataset.csv"):
        at, score = datetime.fromisoformat(row["review_answer_timestamp"]), int(row["review_score"])
        response, dims = f"{row['review_id']}-{row['order_id']}", {"region": region[row["order_id"]]}
        facts.answers.append(("olist", response, "csat", at, score, (1, 5), 1, "ratio_to_max", dims))


def _cdnow(folder: Path, facts: Facts) -> None:
    for number, line in enumerate((folder / "CDNOW_sample.txt").read_text().splitlines(), 1):
        _, customer, day, _, dollars = line.split()
        facts.orders.append((f"row-{number}", customer, datetime.fromisoformat(day), int(Decimal(dollars) * 100), ""))


READERS = {
    "telco": _telco,
    "online-retail": _online_retail,
    "incident-log": _incident_log,
    "telco-v11": _telco_v11,
    "olist": _olist,
    "cdnow": _cdnow,
}


@pytest.mark.parametrize("tape", [tape for tape in TAPES if tape in READERS])
def test_events_say_what_the_raw_files_say(tape: str) -> None:
    said, raw = facts_of(events_of(tape)), raw_facts(tape)
    assert sorted(said.orders) == sorted(raw.orders)
    assert sorted(said.answers, key=str) == sorted(raw.answers, key=str)
    assert said.contracts == raw.contracts
    assert said.cases == raw.cases
