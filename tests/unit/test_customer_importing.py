"""Reading tables: bounds, encodings, what columns mean, and cells that must not become formulas."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator

import pytest
import xlsxwriter
from pydantic import ValidationError

from services.customer.model.customer import BUSINESS, CREDIT, OPEN, PERSONAL
from services.customer.model.importing import FIELDS, Reading, RowUnreadable, read_row, suggested
from services.customer.sheets import (
    FORMULA_SIGNS,
    MOST_COLUMNS,
    MOST_UNPACKED,
    TableTooLarge,
    TableUnreadable,
    csv_line,
    read_table,
    xlsx_of,
)

WICKED = ["=1+1", "+8613800138000", "-3", "@SUM(A1)", "\tx", "＝1", "plain", 'quoted "x", y', "两\n行"]


async def pages(*rows: list[str]) -> AsyncIterator[list[list[str]]]:
    for row in rows:
        yield [row]


def test_every_field_of_a_file_can_be_a_column() -> None:
    decided_apart = {CREDIT}
    assert set(FIELDS) | decided_apart == {*PERSONAL, *BUSINESS, *OPEN}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_as_spreadsheets_write_it(encoding: str, delimiter: str) -> None:
    text = delimiter.join(["姓名", "电话"]) + "\r\n\r\n" + delimiter.join([" 王芳 ", '"138\n0013"']) + "\r\n"
    table = read_table(text.encode(encoding))
    assert (table.format, table.columns, table.rows) == ("csv", ["姓名", "电话"], [(3, ["王芳", "138\n0013"])])


async def test_no_cell_of_a_csv_begins_like_a_formula_and_reading_gives_it_back() -> None:
    line = csv_line(WICKED)
    assert not any(cell.startswith(FORMULA_SIGNS) for cell in next(csv.reader(io.StringIO(line, newline=""))))
    header = csv_line([f"c{place}" for place in range(len(WICKED))])
    expected = [one.strip() if one[0] == "\t" else one for one in WICKED]
    assert read_table((header + line).encode()).rows[0][1] == [*expected[:4], "\tx", *expected[5:]]
    workbook = await xlsx_of([f"c{place}" for place in range(len(WICKED))], pages(WICKED))
    assert read_table(workbook).rows == [(2, expected)]
    assert b"<f>" not in workbook


def test_numbers_dates_and_flags_of_a_sheet_are_text() -> None:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet()
    for place, name in enumerate(("phone", "share", "key", "sum")):
        sheet.write_string(0, place, name)
    sheet.write_number(1, 0, 13800138000)
    sheet.write_number(1, 1, 0.5)
    sheet.write_boolean(1, 2, True)
    sheet.write_formula(1, 3, "=A2", None, 7)
    book.close()
    assert read_table(content.getvalue()).rows == [(2, ["13800138000", "0.5", "true", "7"])]


async def test_what_is_no_table_or_too_much_of_one_is_refused_with_what_to_do() -> None:
    whole = await xlsx_of(["a"], pages(["1"]))
    for content in (
        b"",
        b"a,b\n",
        b'a\n"x',
        b"PK\x03\x04junk",
        whole[: len(whole) // 2],
        b"\xff\xfe\x00",
        b"\x81\n\xff",
    ):
        with pytest.raises(TableUnreadable):
            read_table(content)
    with pytest.raises(TableUnreadable, match="two columns are called a"):
        read_table(b"a,a\n1,2\n")
    wide = ",".join(f"c{place}" for place in range(MOST_COLUMNS + 1))
    with pytest.raises(TableTooLarge):
        read_table(f"{wide}\n{wide}\n".encode())
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * (MOST_UNPACKED + 1))
    with pytest.raises(TableTooLarge, match="unpacked"):
        read_table(bomb.getvalue())


def test_a_sheet_of_two_cells_in_opposite_corners_is_not_a_whole_sheet() -> None:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_string(0, 0, "a")
    sheet.write_string(1_048_575, 16_383, "b")
    book.close()
    with pytest.raises(TableUnreadable, match="no rows"):
        read_table(content.getvalue())


def test_columns_are_known_by_their_names_in_both_languages() -> None:
    columns = ["客户名称", "Phone", "手机", "统一社会信用代码", "备注", "external id", "ownerId"]
    assert suggested(columns) == {
        "客户名称": "company",
        "Phone": "phone",
        "统一社会信用代码": "creditCode",
        "external id": "externalId",
        "ownerId": "ownerId",
    }


def test_a_row_says_what_its_columns_mean_and_nothing_where_a_cell_is_empty() -> None:
    reading = Reading.model_validate(
        {
            "columns": {
                "公司": "company",
                "重点": "keyMark",
                "电话": "phone",
                "编号": "externalId",
                "不同于": "notTheSameAs",
            },
            "constants": {"lawfulBasis": "contract"},
            "source": "crm",
        }
    )
    row = read_row(["公司", "重点", "电话", "编号", "不同于", "备注"], ["远大", "是", "", "k1", "a b"], reading)
    assert row.fields == {"company": "远大", "key_mark": True, "lawful_basis": "contract"}
    assert (row.source, row.external_id, row.code, set(row.not_the_same_as)) == ("crm", "k1", None, {"a", "b"})
    with pytest.raises(RowUnreadable, match="keyMark"):
        read_row(["重点"], ["maybe"], reading)
    with pytest.raises(RowUnreadable, match="3 cells where the header names 2"):
        read_row(["公司", "电话"], ["a", "b", "c"], reading)
    with pytest.raises(ValidationError, match="same field"):
        Reading.model_validate({"columns": {"a": "phone", "b": "phone"}})
    with pytest.raises(ValidationError, match="holds for every row"):
        Reading.model_validate({"columns": {"a": "phone"}, "constants": {"phone": "1"}})
