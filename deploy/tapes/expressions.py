"""The small expression language of tapes: Python's expression syntax, parsed with `ast` and a whitelist, never eval.

Allowed: column names, `row['any column']`, `joined.column`, literals, exact arithmetic (+ - * / // %), comparisons,
`in (…)`, and / or / not, `a if c else b`, f-strings without format codes, `table[key]` and functions (functions.py).
Columns are text, as in the file: arithmetic needs `number(…)` or `whole(…)`, so that nothing is converted by accident.
`None` means "no value". Numbers are whole or exact decimals of at most 50 digits; an inexact result is an error.
"""

import ast
import inspect
import operator
from collections.abc import Callable
from typing import Any

from deploy.tapes.errors import RowError, TapeError
from deploy.tapes.exact import ARITHMETIC, COMPARISONS, arithmetic, compare, exact_decimal, negative
from deploy.tapes.scopes import Compiled, Names, Scope

LONGEST = 1000
DEEPEST = 40

_POSITIONS: dict[str, Compiled] = {
    "row_number": operator.attrgetter("row_number"),
    "ordinal": operator.attrgetter("ordinal"),
    "copy": operator.attrgetter("copy"),
    "group_size": lambda scope: len(scope.rows),
}


def compile_expression(text: str, names: Names) -> Compiled:
    """Compile one expression. Raises TapeError, naming the expression and what is not understood in it."""
    if len(text) > LONGEST:
        raise TapeError(f"an expression is longer than {LONGEST} characters: {text[:60]}…")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TapeError(f"cannot read the expression {text[:200]!r}: {error}") from error
    try:
        return _Compiler(text.strip(), names).compile(tree.body, 0)
    except TapeError as error:
        raise TapeError(f"in the expression {text!r}: {error}") from error


class _Compiler:
    """Turns the tree into nested closures; every node type that is not listed in `compile` is refused."""

    def __init__(self, text: str, names: Names) -> None:
        self._text = text
        self._names = names

    def compile(self, node: ast.expr, depth: int) -> Compiled:
        if depth > DEEPEST:
            raise TapeError(f"it is nested deeper than {DEEPEST}")

        def sub(child: ast.expr) -> Compiled:
            return self.compile(child, depth + 1)

        match node:
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Attribute(value=ast.Name(id=name), attr=column) if name in self._names.joined:
                return self._joined_column(name, column)
            case ast.Subscript(value=ast.Name(id=name), slice=key):
                return self._subscript(name, key, sub)
            case ast.BoolOp(op=op, values=values):
                return _either([sub(v) for v in values], isinstance(op, ast.Or))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = sub(operand)
                return lambda scope: not inner(scope)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = sub(operand)
                return lambda scope: negative(inner(scope))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return arithmetic(ARITHMETIC[type(op)], sub(left), sub(right))
            case ast.Compare(left=left, ops=ops, comparators=rights) if all(type(o) in COMPARISONS for o in ops):
                return compare(sub(left), [(COMPARISONS[type(o)], sub(r)) for o, r in zip(ops, rights, strict=True)])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition, yes, no = sub(test), sub(body), sub(orelse)
                return lambda scope: yes(scope) if condition(scope) else no(scope)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                parts = [sub(item) for item in items]
                return lambda scope: tuple(part(scope) for part in parts)
            case ast.JoinedStr(values=values):
                return self._text_of([v if isinstance(v, ast.Constant) else _plain(v) for v in values], sub)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, args, sub)
        shown = ast.get_source_segment(self._text, node) or type(node).__name__
        raise TapeError(f"{shown[:80]!r} is not part of the language of tapes")

    def _constant(self, value: object) -> Compiled:
        if isinstance(value, float):
            # By its shortest spelling, so that 0.1 is a tenth and not the nearest binary fraction.
            value = exact_decimal(repr(value))
        elif not (value is None or isinstance(value, str | int)):
            raise TapeError(f"the literal {value!r} is not part of the language of tapes")
        return lambda _: value

    def _name(self, name: str) -> Compiled:
        if name in self._names.lets:
            return self._names.lets[name]
        if name in self._names.columns:
            return _column(self._names.columns.place(name))
        if name in _POSITIONS:
            return _POSITIONS[name]
        known = ", ".join([*self._names.lets, *self._names.columns][:60])
        raise TapeError(f"unknown name {name!r}; known are {known}")

    def _joined_column(self, name: str, column: str) -> Compiled:
        joined = self._names.joined[name]
        if column not in joined.columns:
            raise TapeError(f"{name!r} has no column {column!r}")
        slot, index = joined.slot, joined.columns.place(column)

        def value(scope: Scope) -> Any:
            row = scope.joined[slot]
            return None if row is None else row[index]

        return value

    def _subscript(self, name: str, key: ast.expr, sub: Callable[[ast.expr], Compiled]) -> Compiled:
        if name == "row" or name in self._names.joined:
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                raise TapeError(f"{name}[…] needs the column's name in quotes")
            if name != "row":
                return self._joined_column(name, key.value)
            if key.value not in self._names.columns:
                raise TapeError(f"unknown column {key.value!r}")
            return _column(self._names.columns.place(key.value))
        if name not in self._names.tables:
            raise TapeError(f"unknown table {name!r}")
        table, inner = self._names.tables[name], sub(key)

        def value(scope: Scope) -> Any:
            found = inner(scope)
            if found not in table:
                raise RowError(f"{found!r} is not in the table {name}")
            return table[found]

        return value

    def _text_of(self, values: list[ast.expr], sub: Callable[[ast.expr], Compiled]) -> Compiled:
        parts = [sub(v) for v in values]

        def value(scope: Scope) -> str:
            found = [part(scope) for part in parts]
            if None in found:
                raise RowError("an f-string has a part without value")
            return "".join(map(str, found))

        return value

    def _call(self, name: str, args: list[ast.expr], sub: Callable[[ast.expr], Compiled]) -> Compiled:
        if name in self._names.aggregates:
            return self._aggregate(name, args, sub)
        if name not in self._names.functions:
            raise TapeError(f"unknown function {name!r}; known are {', '.join(sorted(self._names.functions))}")
        if any(isinstance(a, ast.Starred) for a in args):
            raise TapeError("* is not part of the language of tapes")
        function, parts = self._names.functions[name], [sub(a) for a in args]
        try:
            inspect.signature(function).bind(*parts)
        except TypeError as error:
            raise TapeError(f"{name}(…): {error}") from error
        if len(parts) == 1:
            only = parts[0]
            return lambda scope: function(only(scope))
        return lambda scope: function(*[part(scope) for part in parts])

    def _aggregate(self, name: str, args: list[ast.expr], sub: Callable[[ast.expr], Compiled]) -> Compiled:
        """`sum(x)` runs over the group's rows, `sum(joined, x)` over the rows joined by a `many` join."""
        fold = self._names.aggregates[name]
        match args:
            case [ast.Name(id=many), inner] if many in self._names.joined and self._names.joined[many].many:
                slot, value = self._names.joined[many].slot, sub(inner)
                return lambda scope: fold(_over_joined(scope, slot, value))
            case [inner]:
                value = sub(inner)
                return lambda scope: fold(_over_group(scope, value))
        raise TapeError(f"{name}(…) takes an expression, or a joined file (many) and an expression")


def _over_group(scope: Scope, value: Compiled) -> list[Any]:
    kept = scope.row
    try:
        found = []
        for row in scope.rows:
            scope.row = row
            found.append(value(scope))
        return found
    finally:
        scope.row = kept


def _over_joined(scope: Scope, slot: int, value: Compiled) -> list[Any]:
    rows = scope.joined[slot]
    try:
        found = []
        for row in rows or ():
            scope.joined[slot] = row
            found.append(value(scope))
        return found
    finally:
        scope.joined[slot] = rows


def _plain(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.FormattedValue) and node.format_spec is None and node.conversion == -1:
        return node.value
    raise TapeError("f-strings here have no format codes")


def _column(index: int) -> Compiled:
    return lambda scope: scope.row[index]


def _either(parts: list[Compiled], first_true: bool) -> Compiled:
    *head, last = parts

    def value(scope: Scope) -> Any:
        for part in head:
            found = part(scope)
            if bool(found) is first_true:
                return found
        return last(scope)

    return value
