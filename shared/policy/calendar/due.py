"""When something is due, and the arithmetic that says why, in both languages."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import Moment
from shared.policy.calendar.business import Calendar, Day
from shared.policy.calendar.official import Named
from shared.policy.declared import Span

UNITS: dict[str, Named] = {
    "minutes": Named("分钟", "minutes"),
    "hours": Named("小时", "hours"),
    "business_minutes": Named("工作分钟", "business minutes"),
    "calendar_days": Named("日", "calendar days"),
    "working_days": Named("个工作日", "working days"),
    "months": Named("个月", "months"),
    "years": Named("年", "years"),
}


class Line(BaseModel):
    """One step of the arithmetic; `first` and `last` are local days."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["start", "counted", "skipped", "rolled", "provisional", "due"]
    first: date
    last: date
    zh: str
    en: str


class Due(BaseModel):
    """An instant by which something must have happened, with its arithmetic and the calendar that gave it.

    `at` is the first instant that is too late (UTC); `local` is how people say it, `2026-10-08 24:00` included.
    """

    model_config = ConfigDict(frozen=True)
    at: Moment
    local: str
    zone: str
    span: Span
    calendar_version: str
    lines: tuple[Line, ...]

    def explained(self, language: Literal["zh", "en"] = "en") -> str:
        """The arithmetic as text, one step a line."""
        return "\n".join(line.zh if language == "zh" else line.en for line in self.lines)


def short(day: date) -> str:
    """A day as people say it in a list: 10-08."""
    return f"{day:%m-%d}"


def said_locally(calendar: Calendar, at: datetime, midnight_is_end: bool) -> str:
    """An instant in the company's zone; midnight as the end of the day before when a day ends with it."""
    local = at.astimezone(calendar.zone)
    if midnight_is_end and local.time() == time.min:
        return f"{local.date() - timedelta(days=1)} 24:00"
    return f"{local:%Y-%m-%d %H:%M}" + (f":{local:%S}" if local.second else "")


def start_line(calendar: Calendar, start: datetime | date, span: Span, day_counted: bool) -> Line:
    """From where the span runs. A day counts as not counted where Civil Code 201 says so."""
    day = calendar.local_day(start) if isinstance(start, datetime) else start
    at = said_locally(calendar, start, midnight_is_end=False) if isinstance(start, datetime) else str(day)
    unit = UNITS[span.unit]
    zh, en = f"自 {at} 起 {span.amount} {unit.zh}", f"{span.amount} {unit.en} from {at}"
    if not day_counted:
        zh, en = f"{zh}（起始日不计）", f"{en} (the first day is not counted)"
    return Line(kind="start", first=day, last=day, zh=zh, en=en)


def skipped_lines(days: Iterable[Day]) -> list[Line]:
    """Days that do not count, spells of one reason joined: skipped 10-01…10-07 (National Day)."""
    spells: list[list[Day]] = []
    for day in days:
        if spells and spells[-1][-1].why == day.why and (day.day - spells[-1][-1].day).days == 1:
            spells[-1].append(day)
        else:
            spells.append([day])
    return [_skipped(spell[0], spell[-1]) for spell in spells]


def _skipped(first: Day, last: Day) -> Line:
    span = short(first.day) if first.day == last.day else f"{short(first.day)}…{short(last.day)}"
    return Line(
        kind="skipped",
        first=first.day,
        last=last.day,
        zh=f"跳过 {span}（{first.why.zh}）",
        en=f"skipped {span} ({first.why.en})",
    )


def finished(
    calendar: Calendar, at: datetime, span: Span, lines: list[Line], days: Iterable[Day], midnight_is_end: bool
) -> Due:
    """Close the arithmetic: say when it is due, and which years are only provisionally known."""
    local = said_locally(calendar, at, midnight_is_end)
    last = lines[-1].last
    for year in sorted({day.day.year for day in days if day.provisional}):
        zh = f"{year} 年放假安排尚未公布，暂按日历包声明计算"
        en = f"the arrangement of {year} is not announced yet: counted by what the pack declares"
        lines.append(Line(kind="provisional", first=last, last=last, zh=zh, en=en))
    lines.append(Line(kind="due", first=last, last=last, zh=f"截止 {local}", en=f"due {local}"))
    return Due(
        at=at,
        local=local,
        zone=calendar.company.zone,
        span=span,
        calendar_version=calendar.version,
        lines=tuple(lines),
    )
