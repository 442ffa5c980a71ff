"""What expressions are evaluated on (rows, groups, joined rows) and what they may name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Sequence[str]


class Scope:
    """What an expression is evaluated on: one row, its group, and the rows joined to it."""

    __slots__ = ("copy", "joined", "ordinal", "row", "row_number", "rows")

    def __init__(self, row: Row, rows: Sequence[Row], row_number: int, ordinal: int, copy: int = 1) -> None:
        self.row = row
        self.rows = rows
        self.row_number = row_number
        self.ordinal = ordinal
        self.copy = copy
        self.joined: list[Any] = []


Compiled = Callable[[Scope], Any]
"""A compiled expression. Raises RowError when the row's content does not fit."""


class Columns:
    """The columns of one file (distinct names). Those that no expression names are not kept in memory."""

    def __init__(self, header: Sequence[str]) -> None:
        self._position = {name: index for index, name in enumerate(header)}
        self.used: list[int] = []

    def __contains__(self, name: object) -> bool:
        return name in self._position

    def __iter__(self) -> Iterator[str]:
        return iter(self._position)

    def place(self, name: str) -> int:
        """Where this column stands in the rows that expressions see."""
        position = self._position[name]
        if position not in self.used:
            self.used.append(position)
        return self.used.index(position)


@dataclass(frozen=True)
class Joined:
    """A file joined by key: position in Scope.joined and its columns; `many` = all rows of the key, for aggregates."""

    slot: int
    columns: Columns
    many: bool = False


@dataclass
class Names:
    """Everything an expression of one rule may name; `functions` are given by functions.py."""

    columns: Columns
    joined: dict[str, Joined] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lets: dict[str, Compiled] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    aggregates: Mapping[str, Callable[[list[Any]], Any]] = field(default_factory=dict)
