"""Tapes on small rows: reading files, filters, groups, joins, repeats, and clear words about a damaged tape."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.tapes.errors import TapeError
from deploy.tapes.events import Event, Playing, Unmapped
from deploy.tapes.tape import load_tape, read_tape

HEAD = """
tape: small
title: Small
origin: made for this test
zone: Europe/London
sources: [small, other]
files:
  lines: {path: lines.csv}
  people: {path: people.csv, key: id}
  payments: {path: payments.csv, key: order}
rules:
"""
RULE: dict[str, Any] = {
    "rows": "lines",
    "topic": "customer-intake",
    "type": "order.placed",
    "id": "order",
    "key": "order",
    "time": "local(day)",
    "fields": {"order": "order"},
}
AS_TEXT = f"  - {json.dumps(RULE)}"
LINES = "order,person,day,amount\nA,1,2011-01-02,1.10\nB,2,2011-01-01,2\nA,1,2011-01-01,0.05\nC,9,2011-01-03,x\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "people.csv").write_text('id,name,region\n1,"Ann, of\nBath",SW\n2,Bo,\n')
    (tmp_path / "payments.csv").write_text("order,value\nA,0.5\nA,0.25\nB,1\n")
    return tmp_path


def play(folder: Path, head: str = HEAD, **more: Any) -> tuple[list[Event], list[Unmapped]]:
    """Play the one rule, changed by `more`."""
    unmapped: list[Unmapped] = []
    # JSON is YAML too.
    tape = read_tape(f"{head}  - {json.dumps(RULE | more)}", "small.yaml", (folder,))
    return list(Playing(tape).events(unmapped.append)), unmapped


def said(events: list[Event]) -> list[dict[str, Any]]:
    return [event.body["data"] for event in events]


def test_a_row_becomes_a_cloud_event(folder: Path) -> None:
    events, unmapped = play(folder)
    assert (events[0].topic, events[0].key, events[0].row_number, unmapped) == ("customer-intake", "A", 1, [])
    assert events[0].json() == (
        b'{"specversion":"1.0","id":"A","source":"small","type":"order.placed","time":"2011-01-02T00:00:00+00:00",'
        b'"timezone":"Europe/London","datacontenttype":"application/json","data":{"order":"A"}}'
    )


def test_where_leaves_rows_out_and_when_leaves_events_out(folder: Path) -> None:
    events, unmapped = play(folder, where="amount != 'x'", when="number(amount) > 1", fields={"a": "minor(amount)"})
    assert (said(events), unmapped) == ([{"a": 110}, {"a": 200}], [])


def test_a_group_is_one_event_made_of_its_first_row_and_aggregates(folder: Path) -> None:
    fields = {
        "order": "order",
        "amount": "minor(sum(number(amount)))",
        "lines": "group_size",
        "first": "min(local(day))",
    }
    events, unmapped = play(folder, group_by="order", time="min(local(day))", fields=fields)
    assert said(events) == [
        {"order": "A", "amount": 115, "lines": 2, "first": "2011-01-01T00:00:00+00:00"},
        {"order": "B", "amount": 200, "lines": 1, "first": "2011-01-01T00:00:00+00:00"},
    ]
    assert [(u.file, u.row_number, u.type) for u in unmapped] == [("lines.csv", 4, "order.placed")]
    assert "'x' is not a number" in unmapped[0].reason


def test_rows_of_a_group_know_their_place(folder: Path) -> None:
    events, _ = play(folder, group_by="order", each="row", id="f'{order}-{ordinal}'")
    assert [event.body["id"] for event in events] == ["A-1", "A-2", "B-1", "C-1"]


def test_files_are_joined_by_key(folder: Path) -> None:
    # A column and a join may share a name: the dot tells them apart.
    join = {
        "person": {"file": "people", "on": "person"},
        "payment": {"file": "payments", "on": "order", "many": True},
    }
    paid = "minor(sum(payment, number(payment.value)))"
    fields = {"who": "known(person.name)", "region": "known(person.region)", "paid": paid}
    events, _ = play(folder, join=join, fields=fields, where="row_number in (1, 2, 4)")
    assert said(events) == [
        {"who": "Ann, of\nBath", "region": "SW", "paid": 75},
        {"who": "Bo", "paid": 100},
        {"paid": 0},
    ]


def test_mappings_and_lists_leave_out_what_has_no_value(folder: Path) -> None:
    items = [{"$when": "order == 'A'", "a": 1}, {"$when": "order == 'B'", "b": True}]
    fields = {"order": "order", "dims": {"a": "known('')"}, "items": items}
    events, _ = play(folder, fields=fields, where="row_number < 3")
    assert said(events) == [{"order": "A", "items": [{"a": 1}]}, {"order": "B", "items": [{"b": True}]}]


def test_a_row_repeats_and_names_its_source(folder: Path) -> None:
    more = {"repeat": "row_number - 1", "source": "'other' if order == 'B' else 'none'", "id": "f'{order}-{copy}'"}
    events, unmapped = play(folder, **more)
    assert [(event.body["source"], event.body["id"]) for event in events] == [("other", "B-1")]
    assert [u.row_number for u in unmapped] == [3, 4]
    assert "not one of the tape's sources" in unmapped[0].reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"time": "day"}, "is not a time"),
        ({"id": "known('')"}, "id is empty"),
        ({"key": "''"}, "key is empty"),
        ({"fields": {"amount": "number(amount)"}, "where": "order == 'B'"}, "cannot be sent exactly"),
        ({"repeat": "1000001"}, "is repeated 0 to"),
        ({"repeat": "0 - 1"}, "is repeated 0 to"),
    ],
)
def test_a_row_that_makes_no_event_is_told_and_passed_over(folder: Path, more: dict[str, Any], reason: str) -> None:
    events, unmapped = play(folder, **more)
    assert events == []
    assert all(reason in row.reason for row in unmapped)
    assert unmapped


def test_two_columns_of_one_name_and_packed_files(folder: Path) -> None:
    (folder / "lines.csv").unlink()
    with gzip.open(folder / "lines.csv.gz", "wt", encoding="utf-8-sig") as file:
        file.write("order,day,order\r\nA,2011-01-01,second\r\n")
    events, _ = play(folder, fields={"first": "order", "second": "row['order.1']"})
    assert said(events) == [{"first": "A", "second": "second"}]


def test_other_delimiters_and_blank_separated_columns(folder: Path) -> None:
    (folder / "lines.csv").write_text("order;day\nA;2011-01-01\n")
    (folder / "people.csv").write_text("  A   2011-01-01 \n\n B  2011-01-02\n")
    head = HEAD.replace("{path: lines.csv}", "{path: lines.csv, delimiter: ;}").replace(
        "{path: people.csv, key: id}", "{path: people.csv, layout: blank, columns: [order, day]}"
    )
    assert len(play(folder, head)[0]) == 1
    events, _ = play(folder, head, rows="people")
    assert [(event.key, event.row_number) for event in events] == [("A", 1), ("B", 2)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"order,day\nA\n", r"row 1: 1 columns instead of 2"),
        (b"order,day\n\xff,2011-01-01\n", "cannot be read"),
        (b'order,day\n"A,2011-01-01\n', "cannot be read"),
    ],
)
def test_a_damaged_file_stops_the_tape(folder: Path, content: bytes, reason: str) -> None:
    (folder / "lines.csv").write_bytes(content)
    with pytest.raises(TapeError, match=reason):
        play(folder)


def test_a_cut_off_archive_stops_the_tape(folder: Path) -> None:
    (folder / "lines.csv").unlink()
    (folder / "lines.csv.gz").write_bytes(gzip.compress(LINES.encode() * 1000)[:-20])
    with pytest.raises(TapeError, match="cannot be read"):
        play(folder)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"topic": "customer-events"}, r"rules\[0\]\.topic: 'customer-events' is not one of"),
        ({"tpye": "x"}, r"rules\[0\]: Additional properties.*tpye"),
        ({"each": "line"}, r"rules\[0\]\.each"),
        ({"fields": {}}, r"rules\[0\]\.fields"),
        ({"rows": "nowhere"}, "names the file 'nowhere'"),
        ({"join": {"p": {"file": "gone", "on": "order"}}}, "names the file 'gone'"),
        ({"join": {"p": {"file": "lines", "on": "order"}}}, "needs a `key`"),
        ({"when": "ordr == 'A'"}, "rule 1 .*unknown name 'ordr'; known are order, person"),
        ({"time": "local('x' 'y', 1"}, "cannot read the expression"),
        ({"fields": {"amount": 1.5}}, "not whole"),
    ],
)
def test_a_damaged_tape_is_told_where(folder: Path, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(TapeError, match=reason):
        play(folder, **more)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tape: [", "not readable YAML"),
        ("tape: a\ntape: b\n", "given twice: tape"),
        ("!!python/object/apply:os.system ['true']", "not readable YAML"),
        ("- 1", "the whole: .* is not of type 'object'"),
        (HEAD.replace("lines.csv", "../lines.csv") + AS_TEXT, r"files\.lines\.path"),
        (HEAD.replace("lines.csv", "/etc/passwd") + AS_TEXT, r"files\.lines\.path"),
        (HEAD.replace("Europe/London", "Europe/Nowhere") + AS_TEXT, "unknown time zone 'Europe/Nowhere'"),
    ],
)
def test_what_is_not_a_tape_is_told_why(folder: Path, text: str, reason: str) -> None:
    with pytest.raises(TapeError, match=reason):
        Playing(read_tape(text, "small.yaml", (folder,)))


def test_a_missing_file_names_its_origin_and_an_unknown_tape_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"olist_orders_dataset.csv.gz not found.*--from DIR.*CC BY-NC-SA"):
        Playing(load_tape("olist", tmp_path))
    with pytest.raises(TapeError, match="known are cdnow, incident-log"):
        load_tape("telcoo")


@pytest.mark.parametrize("below", ["", "v11", "telco_churn/v11"])
def test_files_are_found_in_the_data_set_s_folder_and_in_those_above(tmp_path: Path, below: str) -> None:
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    (tmp_path / below / "Telco_customer_churn_services.csv").touch()
    assert load_tape("telco-v11", tmp_path).file("services").parent == tmp_path / below
