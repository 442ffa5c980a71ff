"""Tables as files: CSV and XLSX read within bounds, and written so that no cell is taken for a formula.

XLSX is read row by row and never as a whole: a sheet of two cells, the first and the last possible one, would otherwise
fill the memory. It is written in memory, since the library's other way leaves cells in temporary files. The libraries
are imported when the first XLSX is read or written: a process that is started again must be back soon.
"""

import asyncio
import csv
import datetime
import io
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException

from shared.contracts.decision import Invalid

Format = Literal["csv", "xlsx"]
MEDIA: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MOST_ROWS = 50_000
MOST_COLUMNS = 200
MOST_UNPACKED = 64 * 1024 * 1024
"""Bytes of an XLSX once unpacked."""
MOST_XLSX_ROWS = 20_000
"""Rows written to one XLSX, which is held in memory; CSV has no such bound."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""A cell of a CSV that begins with one of these may be run by who opens it (OWASP, CSV injection)."""
_BOM = "\ufeff"
_DELIMITERS = ",;\t"


class TableUnreadable(Invalid):
    SLUG = "table-unreadable"


class TableTooLarge(Invalid):
    STATUS = 413
    SLUG = "table-too-large"


@dataclass(frozen=True)
class Table:
    """A table as text: the columns of its first row, and the other rows with their numbers as a spreadsheet shows."""

    format: Format
    columns: list[str]
    rows: list[tuple[int, list[str]]]


def read_table(content: bytes) -> Table:
    """Read a CSV (UTF-8, UTF-16 with its mark, or GB 18030) or the first sheet of an XLSX.

    Raises TableUnreadable and TableTooLarge.
    """
    kind: Format = "xlsx" if content.startswith(b"PK\x03\x04") else "csv"
    lines = _xlsx_rows(content) if kind == "xlsx" else _csv_rows(content)
    columns: list[str] | None = None
    rows: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines, 1):
        cells = _trimmed([_text(cell) for cell in line])
        if columns is None:
            columns = _header(cells)
        elif any(cells):
            rows.append((number, cells))
        if len(rows) > MOST_ROWS:
            raise TableTooLarge(f"a table may have at most {MOST_ROWS} rows; split it")
    if not columns or not rows:
        raise TableUnreadable(
            "the table has no rows: name the columns in the first one, and give each customer one below"
        )
    return Table(kind, columns, rows)


def csv_line(cells: Iterable[str]) -> str:
    """One line of a CSV; a cell that could be run as a formula begins with an apostrophe, which reading takes off."""
    line = io.StringIO()
    csv.writer(line).writerow([f"'{cell}" if cell.startswith(FORMULA_SIGNS) else cell for cell in cells])
    return line.getvalue()


async def csv_lines(columns: Sequence[str], pages: AsyncIterator[Sequence[Sequence[str]]]) -> AsyncIterator[str]:
    """A CSV page by page, with the mark by which spreadsheets know UTF-8."""
    yield _BOM + csv_line(columns)
    async for page in pages:
        yield "".join(csv_line(cells) for cells in page)


async def xlsx_of(columns: Sequence[str], pages: AsyncIterator[Sequence[Sequence[str]]]) -> bytes:
    """An XLSX of one sheet, all cells text. Raises TableTooLarge."""
    rows: list[Sequence[str]] = [columns]
    async for page in pages:
        rows += page
        if len(rows) > MOST_XLSX_ROWS + 1:
            raise TableTooLarge(f"an XLSX is written with at most {MOST_XLSX_ROWS} rows; ask for csv, or for fewer")
    return await asyncio.to_thread(_packed, rows)


def _packed(rows: Sequence[Sequence[str]]) -> bytes:
    import xlsxwriter

    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet()
    for number, cells in enumerate(rows):
        for place, cell in enumerate(cells):
            sheet.write_string(number, place, cell)
    book.close()
    return content.getvalue()


def _header(cells: Sequence[str]) -> list[str]:
    if len(cells) > MOST_COLUMNS:
        raise TableTooLarge(f"a table may have at most {MOST_COLUMNS} columns; leave out what is not imported")
    columns = [cell or f"column {place}" for place, cell in enumerate(cells, 1)]
    if twice := sorted({one for one in columns if columns.count(one) > 1}):
        raise TableUnreadable(f"two columns are called {', '.join(twice)}: give each its own name")
    return columns


def _csv_rows(content: bytes) -> Iterator[Sequence[str]]:
    text = _decoded(content)
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise TableUnreadable(f"this is no CSV: {error}; save it anew as CSV (UTF-8) or XLSX") from error


def _decoded(content: bytes) -> str:
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableUnreadable("the text is neither UTF-8 nor GB 18030; save it anew as CSV (UTF-8) or XLSX")


def _xlsx_rows(content: bytes) -> Iterator[Sequence[Any]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(one.file_size for one in packed.infolist()) > MOST_UNPACKED:
                raise TableTooLarge(f"unpacked it would have more than {MOST_UNPACKED} bytes; split it, or send CSV")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        width = min(sheet.max_column or MOST_COLUMNS, MOST_COLUMNS) + 1
        yield from sheet.iter_rows(max_row=MOST_ROWS + 2, max_col=width, values_only=True)
    except (*_NO_XLSX, InvalidFileException) as error:
        raise TableUnreadable(f"this is no XLSX that can be read ({type(error).__name__}); save it anew") from error


_NO_XLSX = (
    zipfile.BadZipFile,
    DefusedXmlException,
    ParseError,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    NotImplementedError,
    OSError,
)
"""What the library raises for files that are broken in one way or another."""


def _trimmed(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _text(cell: Any) -> str:
    """A cell as text: whole numbers without a point, since phones and codes are often kept as numbers."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime.datetime() | datetime.date() | datetime.time():
            return cell.isoformat()
        case _:
            text = str(cell).strip()
            return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_SIGNS) else text
