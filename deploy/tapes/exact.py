"""Exact arithmetic and comparison: whole numbers and decimals of at most 50 digits, nothing rounded or guessed."""

import ast
import operator
from collections.abc import Callable
from decimal import Context, Decimal, DecimalException, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Any

from deploy.tapes.errors import RowError
from deploy.tapes.scopes import Compiled, Scope

EXACT = Context(prec=50, Emax=60, Emin=-60, traps=[DivisionByZero, Inexact, InvalidOperation, Overflow])


def exact_decimal(text: str) -> Decimal:
    """Read a decimal of at most 50 digits. Raises RowError for anything else (also for NaN and Infinity)."""
    try:
        value = EXACT.create_decimal(text.strip())
    except DecimalException as error:
        raise RowError(f"{text[:80]!r} is not a number of at most 50 digits") from error
    if not value.is_finite():
        raise RowError(f"{text[:80]!r} is not a finite number")
    return value


def negative(value: object) -> Decimal:
    """The number with the other sign."""
    return EXACT.minus(numeric(value))


def numeric(value: object) -> Decimal | int:
    """Require a number: text is refused, so that a column is never calculated with by accident."""
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise RowError(f"{value!r} is not a number; write number(…) around a column")


ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: EXACT.add,
    ast.Sub: EXACT.subtract,
    ast.Mult: EXACT.multiply,
    ast.Div: EXACT.divide,
    ast.FloorDiv: EXACT.divide_int,
    ast.Mod: EXACT.remainder,
}


def arithmetic(operate: Callable[[Any, Any], Any], left: Compiled, right: Compiled) -> Compiled:
    """Both sides must be numbers and the result exact, else the row is refused."""

    def value(scope: Scope) -> Any:
        try:
            return operate(numeric(left(scope)), numeric(right(scope)))
        except DecimalException as error:
            raise RowError(f"the result has no exact value of at most 50 digits ({type(error).__name__})") from error

    return value


COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, many: item in many,
    ast.NotIn: lambda item, many: item not in many,
}


def compare(left: Compiled, rest: list[tuple[Callable[[Any, Any], bool], Compiled]]) -> Compiled:
    """A chain such as `0 < a <= b`. Text and numbers are not compared: a column would silently never be equal."""

    def value(scope: Scope) -> bool:
        a = left(scope)
        for holds, right in rest:
            b = right(scope)
            if _is_mixed(a, b):
                raise RowError(f"{a!r} and {b!r} cannot be compared: one is text; write number(…) around a column")
            try:
                if not holds(a, b):
                    return False
            except TypeError as error:
                raise RowError(f"{a!r} and {b!r} cannot be compared") from error
            a = b
        return True

    return value


def _is_mixed(a: object, b: object) -> bool:
    return (isinstance(a, str) and isinstance(b, int | Decimal)) or (
        isinstance(b, str) and isinstance(a, int | Decimal)
    )
