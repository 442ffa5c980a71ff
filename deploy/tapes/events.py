"""From rows to CloudEvents: compiles the rules of a tape and generates its events, row by row."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from deploy.tapes.errors import RowError, TapeError
from deploy.tapes.expressions import compile_expression
from deploy.tapes.functions import AGGREGATES, FUNCTIONS, local_time, whole
from deploy.tapes.scopes import Columns, Compiled, Joined, Names, Scope
from deploy.tapes.tables import Table, index, open_table
from deploy.tapes.tape import Rule, Tape

MOST_COPIES = 1_000_000
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent to be produced: where it goes, what it says, and the row that it was made from."""

    topic: str
    key: str
    time: datetime
    body: dict[str, Any]
    file: str
    row_number: int

    def json(self) -> bytes:
        """Structured mode: the whole event as JSON in UTF-8."""
        return _encode(self.body).encode()


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A row that could not become an event of this type, and why."""

    file: str
    row_number: int
    type: str
    reason: str


class Playing:
    """A tape made ready to generate: its files found, its expressions compiled.

    Generating twice gives the same events in the same order. Raises TapeError when the tape cannot be played at all.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        tables = {name: open_table(spec, tape.file(name)) for name, spec in tape.files.items()}
        self._rules = []
        for number, rule in enumerate(tape.rules, start=1):
            try:
                self._rules.append(_CompiledRule(rule, tape, tables))
            except TapeError as error:
                raise TapeError(f"the tape {tape.name}, rule {number} ({rule.type}): {error}") from error

    def rows_about(self) -> int:
        """About how many rows all rules together read, for a progress bar."""
        return sum(rule.table.rows_about() for rule in self._rules)

    def events(
        self,
        on_unmapped: Callable[[Unmapped], None] = lambda _: None,
        on_rows: Callable[[int], None] = lambda _: None,
    ) -> Iterator[Event]:
        """All events, rule by rule in the order of the rows.

        `on_unmapped` hears of each row that cannot be mapped, `on_rows` how many rows have been used up since last.
        """
        for rule in self._rules:
            yield from rule.events(on_unmapped, on_rows)


class _CompiledRule:
    def __init__(self, rule: Rule, tape: Tape, tables: dict[str, Table]) -> None:
        self.rule = rule
        self.table = tables[rule.rows]
        self._zone = tape.zone
        self._sources = tape.sources
        self._columns = Columns(self.table.header)
        functions = {**FUNCTIONS, "local": local_time(tape.zone)}
        names = Names(self._columns, tables=tape.tables, functions=functions, aggregates=AGGREGATES)
        self._where = _optional(rule.where, names)
        self._group_by = _optional(rule.group_by, names)
        self._joins = [self._join(name, tables, names) for name in rule.join]
        for name, text in rule.let.items():
            names.lets[name] = compile_expression(text, names)
        self._when = _optional(rule.when, names)
        self._repeat = _optional(rule.repeat, names)
        self._source = _optional(rule.source, names)
        self._id = compile_expression(rule.id, names)
        self._key = compile_expression(rule.key, names)
        self._time = compile_expression(rule.time, names)
        self._fields = _template(dict(rule.fields), names)

    def _join(self, name: str, tables: dict[str, Table], names: Names) -> tuple[Compiled, Table, Joined]:
        join = self.rule.join[name]
        table = tables[join.file]
        if table.spec.key not in table.header:
            raise TapeError(f"to be joined, the file {join.file!r} needs a `key` that is one of its columns")
        on = compile_expression(join.on, names)
        names.joined[name] = joined = Joined(len(names.joined), Columns(table.header), join.many)
        return on, table, joined

    def events(self, on_unmapped: Callable[[Unmapped], None], on_rows: Callable[[int], None]) -> Iterator[Event]:
        def unmapped(row_number: int, error: RowError) -> None:
            on_unmapped(Unmapped(self.table.path.name, row_number, self.rule.type, str(error)))

        lookups = [
            (on, index(table, table.spec.key or "", joined.columns, joined.many)) for on, table, joined in self._joins
        ]
        for scope, used in self._scopes(unmapped):
            on_rows(used)
            try:
                for on, lookup in lookups:
                    scope.joined.append(lookup.get(on(scope)))
                if self._when is not None and not self._when(scope):
                    continue
                for copy in range(1, self._copies(scope) + 1):
                    scope.copy = copy
                    yield self._event(scope)
            except RowError as error:
                unmapped(scope.row_number, error)

    def _scopes(self, unmapped: Callable[[int, RowError], None]) -> Iterator[tuple[Scope, int]]:
        """What the events are made of (rows, or groups of rows in the order of their first) and the rows used up."""
        groups: dict[Any, list[Scope]] = {}
        for row_number, row in self.table.rows(self._columns):
            scope = Scope(row, (row,), row_number, 1)
            try:
                if self._where is not None and not self._where(scope):
                    continue
                if self._group_by is None:
                    yield scope, 1
                else:
                    groups.setdefault(self._group_by(scope), []).append(scope)
            except RowError as error:
                unmapped(row_number, error)
        for scopes in groups.values():
            rows = [scope.row for scope in scopes]
            for ordinal, scope in enumerate(scopes, start=1):
                scope.rows, scope.ordinal = rows, ordinal
            if self.rule.each == "row":
                yield from ((scope, 1) for scope in scopes)
            else:
                yield scopes[0], len(scopes)

    def _copies(self, scope: Scope) -> int:
        if self._repeat is None:
            return 1
        copies = whole(self._repeat(scope))
        if not 0 <= copies <= MOST_COPIES:
            raise RowError(f"a row is repeated 0 to {MOST_COPIES} times, not {copies}")
        return copies

    def _event(self, scope: Scope) -> Event:
        time = self._time(scope)
        if not isinstance(time, datetime):
            raise RowError(f"the event's time {time!r} is not a time; write local(…) around a column")
        source = self._sources[0] if self._source is None else self._source(scope)
        if source not in self._sources:
            raise RowError(f"the source {source!r} is not one of the tape's sources")
        body = {
            "specversion": "1.0",
            "id": _required(self._id(scope), "id"),
            "source": source,
            "type": self.rule.type,
            "time": time.isoformat(),
            "timezone": self._zone,
            "datacontenttype": "application/json",
            "data": self._fields(scope),
        }
        key = _required(self._key(scope), "key")
        return Event(self.rule.topic, key, time, body, self.table.path.name, scope.row_number)


def _optional(text: str | None, names: Names) -> Compiled | None:
    return None if text is None else compile_expression(text, names)


def _required(value: object, what: str) -> str:
    if value is None or value == "":
        raise RowError(f"the event's {what} is empty")
    return str(value)


def _template(written: Any, names: Names) -> Compiled:
    """Fields as written in the tape: text is an expression, lists and mappings are followed, the rest is literal.

    A field whose expression gives no value is left out, and so is a mapping that has no field left, or whose `$when`
    does not hold.
    """
    match written:
        case str():
            return _field(compile_expression(written, names))
        case dict():
            parts = [(name, _template(inner, names)) for name, inner in written.items() if name != "$when"]
            if "$when" not in written:
                return lambda scope: _filled(parts, scope)
            holds = compile_expression(written["$when"], names)
            return lambda scope: _filled(parts, scope) if holds(scope) else None
        case list():
            items = [_template(inner, names) for inner in written]
            return lambda scope: [found for item in items if (found := item(scope)) is not None]
        case Decimal():
            raise TapeError(f"the literal {written} in `fields` is not whole: JSON numbers are not exact")
    return lambda _: written


def _filled(parts: list[tuple[str, Compiled]], scope: Scope) -> dict[str, Any] | None:
    return {name: found for name, part in parts if (found := part(scope)) is not None} or None


def _field(value: Compiled) -> Compiled:
    def field(scope: Scope) -> Any:
        found = value(scope)
        if isinstance(found, datetime):
            return found.isoformat()
        if isinstance(found, Decimal):
            raise RowError(f"the number {found} cannot be sent exactly; write whole(…) or minor(…)")
        return found

    return field
