"""The functions of the tape language: text, exact numbers, money, and time in a zone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any
from zoneinfo import ZoneInfo

from deploy.tapes.errors import RowError, TapeError
from deploy.tapes.exact import EXACT, exact_decimal, numeric

_KEPT_TIMES = 100_000


def number(value: object) -> Decimal | int:
    """An exact decimal, from a column's text or from a number."""
    return exact_decimal(value) if isinstance(value, str) else numeric(value)


def whole(value: object) -> int:
    """A whole number; 4.0 is 4, 4.5 is refused."""
    found = number(value)
    if found != (result := int(found)):
        raise RowError(f"{value!r} is not a whole number")
    return result


def minor(value: object, places: int = 2) -> int:
    """An amount in minor currency units (cents, 分) with `places` decimals. Parts of a cent are refused."""
    try:
        found = EXACT.scaleb(number(value), whole(places))
    except DecimalException as error:
        raise RowError(f"the amount {value!r} has no {places} decimals") from error
    if found != (result := int(found)):
        raise RowError(f"the amount {value!r} has more than {places} decimals")
    return result


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise RowError(f"{value!r} is not text")


def known(value: object, *unknown: object) -> object:
    """The value, or None when it is empty or one of the spellings of "unknown" that are given."""
    return None if value is None or value == "" or value in unknown else value


def clipped(value: object, length: object) -> str:
    """The first `length` characters of a text."""
    return _text(value)[: whole(length)]


def months_before(moment: object, months: object) -> datetime:
    """The same day and local time so many calendar months earlier; the day is cut to the month's last one."""
    found, back = _moment(moment), whole(months)
    year, month = divmod(found.year * 12 + found.month - 1 - back, 12)
    if not 1 <= year <= 9999:
        raise RowError(f"{back} months before {found.isoformat()} is no date")
    for day in range(found.day, 27, -1):
        try:
            return found.replace(year=year, month=month + 1, day=day)
        except ValueError:  # The 31st of a shorter month: try the day before.
            continue
    return found.replace(year=year, month=month + 1)


def plus_minutes(moment: object, minutes: object) -> datetime:
    """So many minutes of elapsed time later (not wall-clock minutes: a change to summer time does not stretch them)."""
    found = _moment(moment)
    try:
        return (found.astimezone(UTC) + timedelta(minutes=whole(minutes))).astimezone(found.tzinfo)
    except OverflowError as error:
        raise RowError(f"{minutes} minutes after {found.isoformat()} is no date") from error


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    raise RowError(f"{value!r} is not a time; write local(…) around a column")


def local_time(zone: str) -> Callable[..., datetime]:
    """`local(text, format)`: a wall-clock time of the rule's zone as an instant; without format ISO 8601.

    A time that clocks show twice means its first pass; one that clocks skip is read with the offset before the change.
    Raises TapeError for an unknown zone. Results are kept, since columns repeat their times.
    """
    try:
        tz = ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise TapeError(f"unknown time zone {zone!r}; expected an IANA name such as Europe/London") from error
    kept: dict[tuple[str, str], datetime] = {}

    def local(text: str, pattern: str = "") -> datetime:
        found = kept.get((text, pattern))
        if found is None:
            try:
                # The zone is attached right away: the pattern never reads an offset.
                naive = datetime.strptime(text, pattern) if pattern else datetime.fromisoformat(text)  # noqa: DTZ007
            except (TypeError, ValueError) as error:
                raise RowError(f"{text!r} is not a time of the form {pattern or 'YYYY-MM-DD HH:MM:SS'}") from error
            if naive.tzinfo is not None:
                raise RowError(f"{text!r} carries an offset of its own")
            if len(kept) >= _KEPT_TIMES:
                kept.clear()
            found = kept[text, pattern] = naive.replace(tzinfo=tz)
        return found

    return local


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "number": number,
    "whole": whole,
    "minor": minor,
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "stripped": lambda value: _text(value).strip(),
    "starts_with": lambda value, start: _text(value).startswith(_text(start)),
    "known": known,
    "clipped": clipped,
    "months_before": months_before,
    "plus_minutes": plus_minutes,
}


def _total(values: list[Any]) -> Any:
    result: Decimal | int = 0
    try:
        for value in values:
            result = EXACT.add(result, numeric(value))
    except DecimalException as error:
        raise RowError("the sum has no exact value of at most 50 digits") from error
    return result


def _of(values: list[Any], pick: Callable[[list[Any]], Any]) -> Any:
    try:
        return pick(values) if values else None
    except TypeError as error:
        raise RowError("the values of the group cannot be compared") from error


AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "sum": _total,
    "min": lambda values: _of(values, min),
    "max": lambda values: _of(values, max),
    "first": lambda values: _of(values, lambda v: v[0]),
    "last": lambda values: _of(values, lambda v: v[-1]),
    "count": len,
}
