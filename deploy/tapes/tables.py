"""Reading the files of a tape: CSV with a header, or blank-separated lines without one, plain or gzip."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, cast

from deploy.tapes.errors import TapeError
from deploy.tapes.scopes import Columns, Row


@dataclass(frozen=True)
class FileSpec:
    """One file as the tape describes it. `blank` separates columns by runs of blanks and needs `columns`."""

    path: str
    layout: str = "csv"
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    columns: tuple[str, ...] = ()
    key: str | None = None


@dataclass(frozen=True)
class Table:
    """An opened file description: where it lies and which columns it has."""

    spec: FileSpec
    path: Path
    header: tuple[str, ...]

    def rows(self, columns: Columns) -> Iterator[tuple[int, Row]]:
        """Row number (from 1, the header not counted) and the used columns of every row.

        Raises TapeError for a row with another number of columns than the header, and for text that is not in the
        stated encoding: such a file is damaged as a whole, not in one row.
        """
        pick = _picker(columns.used)
        width = len(self.header)
        try:
            with _opened(self.path, self.spec.encoding) as file:
                for number, row in enumerate(_records(file, self.spec), start=1):
                    if len(row) != width:
                        raise TapeError(f"{self.path.name}, row {number}: {len(row)} columns instead of {width}")
                    yield number, pick(row)
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise TapeError(f"{self.path.name} cannot be read: {error}") from error

    def rows_about(self) -> int:
        """The number of lines, for a progress bar: more than the rows when quoted texts hold line breaks."""
        with _unpacked(self.path) as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        return max(lines - (0 if self.spec.columns else 1), 1)


def open_table(spec: FileSpec, path: Path) -> Table:
    """Read the header. Raises TapeError when the file is empty or cannot be read."""
    if spec.columns:
        return Table(spec, path, spec.columns)
    try:
        with _opened(path, spec.encoding) as file:
            header = next(csv.reader(file, delimiter=spec.delimiter), None)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise TapeError(f"{path.name} cannot be read: {error}") from error
    if not header:
        raise TapeError(f"{path.name} is empty")
    return Table(spec, path, _distinct(header))


def index(table: Table, key: str, columns: Columns, many: bool) -> dict[str, Any]:
    """The rows of a joined file by key: the first row of each key, or all of them for a `many` join."""
    place = columns.place(key)
    found: dict[str, Any] = {}
    for _, row in table.rows(columns):
        if many:
            found.setdefault(row[place], []).append(row)
        else:
            found.setdefault(row[place], row)
    return found


def find_file(path: str, folder: str, places: Sequence[Path]) -> Path:
    """Look for a tape's file below `places`, with or without the data set's folder (or its end), packed or not.

    Raises TapeError that names every file name tried.
    """
    parts = Path(folder).parts
    inner = [Path(*parts[start:]) for start in range(len(parts) + 1)]
    names = [path, path.removesuffix(".gz") if path.endswith(".gz") else path + ".gz"]
    for place in places:
        for below in inner:
            for name in names:
                if (found := place / below / name).is_file():
                    return found
    raise TapeError(f"{' or '.join(names)} not found below {', '.join(map(str, places)) or 'any folder'}")


def _picker(used: Sequence[int]) -> Any:
    if len(used) == 1:
        only = used[0]
        return lambda row: (row[only],)
    return itemgetter(*used) if used else lambda _: ()


def _records(file: IO[str], spec: FileSpec) -> Iterator[list[str]]:
    if spec.layout == "blank":
        for line in file:
            if line.strip():
                yield line.split()
        return
    reader = csv.reader(file, delimiter=spec.delimiter, strict=True)
    if not spec.columns:
        next(reader, None)
    for row in reader:
        if row:
            yield row


def _unpacked(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def _opened(path: Path, encoding: str) -> IO[str]:
    return io.TextIOWrapper(_unpacked(path), encoding=encoding, newline="")


def _distinct(header: Sequence[str]) -> tuple[str, ...]:
    """A second column of the same name gets `.1` appended, a third `.2`, as pandas names them."""
    seen: dict[str, int] = {}
    names = []
    for name in header:
        times = seen.get(name, 0)
        seen[name] = times + 1
        names.append(f"{name}.{times}" if times else name)
    return tuple(names)
