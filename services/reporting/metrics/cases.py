"""Cases as facts: when they were opened, answered, resolved, reopened and closed, cycle by cycle."""

from collections.abc import Iterable, Sequence

from services.reporting.configuration import Definition
from services.reporting.metrics.statistics import LogBuckets
from shared.contracts.envelope import Event
from shared.contracts.feedback import (
    SAYS,
    CaseClosed,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    CaseResponded,
    CaseStep,
    ComplaintOpened,
)
from shared.plumbing.projection import Entry, Fact, Family, Heard, Point, Unfit, milliseconds

DAY_MS = 24 * 3600 * 1000
COUNTED = (CaseOpened, CaseResponded, CaseResolved, CaseReopened, CaseClosed)
OPENING_DIMS = ("channel", "category", "product", "severity", "priority", "desk")


class Complaints:
    """Complaints by day of opening and of first resolving, with the dimensions of the opening.

    Points: `opened` and `reopened` (ever) on the day of opening; `resolved` and `soon` (reopened within the window) on
    the day cycle 1 was resolved.
    """

    name = "complaints"
    rows = None

    def __init__(self, reopen_window_days: int) -> None:
        self._window_ms = reopen_window_days * DAY_MS

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return complaint(fact)

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        points = [("opened", whole["day"], 1)]
        if whole["reopened"]:
            points.append(("reopened", whole["day"], 1))
        first = whole["cycles"].get("1", {}).get("resolved")
        if first is not None:
            points.append(("resolved", first["day"], 1))
            if whole["reopened"] and min(whole["reopened"].values()) - first["at"] <= self._window_ms:
                points.append(("soon", first["day"], 1))
        return points


class Replies:
    """How long complaints waited for a human: `opened`, and `reply:b` (log bucket), on the day of opening.

    Apart from the other counts, as the resolutions are: who asks for a count need not read hundreds of buckets.
    """

    name = "replies"
    rows = None

    def __init__(self, buckets: LogBuckets) -> None:
        self._buckets = buckets

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return complaint(fact)

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        reply, opened = reply_ms(whole), ("opened", whole["day"], 1)
        return [opened] if reply is None else [opened, (f"reply:{self._buckets.of(reply)}", whole["day"], 1)]


class Resolutions:
    """How long complaints took: `hours:b` on the day of the last resolving whose time is known."""

    name = "resolutions"
    rows = None

    def __init__(self, buckets: LogBuckets) -> None:
        self._buckets = buckets

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return complaint(fact) if last_known_resolution(fact) is not None else []

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        last = last_known_resolution(whole)
        return [] if last is None else [(f"hours:{self._buckets.of(took_ms(whole, last['at']))}", last["day"], 1)]


class Verdicts:
    """SLA verdicts of complaints by day of closing, with the priority at closing."""

    name = "verdicts"
    rows = None

    def entries(self, fact: Fact) -> Sequence[Entry]:
        closed = fact["closed"]
        if not fact["complaint"] or closed is None or closed["kept"] is None:
            return []
        if closed["priority"] is None:
            return [(fact["dims"], closed)]
        return [({**fact["dims"], "priority": closed["priority"]}, closed)]

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        closed = whole["closed"]
        points = [("closed", closed["day"], 1)]
        if closed["kept"]:
            points.append(("kept", closed["day"], 1))
        return points


def complaint(fact: Fact) -> Sequence[Entry]:
    """The whole case with the dimensions of its opening; nothing where it is no complaint."""
    return [(fact["dims"], fact)] if fact["complaint"] else []


def reply_ms(fact: Fact) -> int | None:
    """Milliseconds from opening to the first human reply of cycle 1 (METRICS D12, wall clock); None: unanswered."""
    replied = fact["cycles"].get("1", {}).get("replied")
    return None if replied is None else took_ms(fact, replied)


def took_ms(fact: Fact, at: int) -> int:
    """Milliseconds since the opening; what an outside desk did before it opened the case took no time."""
    return max(0, at - int(fact["at"]))


def last_known_resolution(fact: Fact) -> Fact | None:
    """The resolving of the highest cycle whose time is known."""
    known = [(int(cycle), steps["known"]) for cycle, steps in fact["cycles"].items() if "known" in steps]
    return max(known, key=lambda item: item[0])[1] if known else None


class Cases:
    """Folds the life of cases. A step told again for its cycle replaces the earlier telling."""

    name = "cases"
    kind = CaseOpened.SUBJECT
    hears: frozenset[type[Event]] = frozenset(
        event
        for event in SAYS
        if issubclass(event, CaseOpened | CaseResponded | CaseResolved | CaseReopened | CaseClosed)
    )

    def __init__(self, definition: Definition) -> None:
        self.buckets = LogBuckets(definition.percentile_bucket_ratio)
        self.complaints = Complaints(definition.reopen_window_days)
        self.replies = Replies(self.buckets)
        self.resolutions = Resolutions(self.buckets)
        self.verdicts = Verdicts()
        self.families: Sequence[Family] = (self.complaints, self.replies, self.resolutions, self.verdicts)

    def fold(self, fact: Fact | None, heard: Heard) -> Fact:
        said = heard.said
        if isinstance(said, CaseOpened):
            return self._opened(fact, heard, said)
        if fact is None or not isinstance(said, CaseStep):
            raise Unfit("a step of a case that was never opened")
        at = milliseconds(said.at)
        if isinstance(said, CaseClosed):
            if fact["closed"] is not None and said.cycle < fact["closed"]["cycle"]:
                return fact
            closed = {
                "cycle": said.cycle,
                "at": at,
                "day": heard.day(said.at),
                "kept": said.sla_kept,
                "priority": said.priority,
            }
            return {**fact, "closed": closed}
        cycle = str(said.cycle)
        if isinstance(said, CaseReopened):
            return {**fact, "reopened": {**fact["reopened"], cycle: at}}
        steps = dict(fact["cycles"].get(cycle, {}))
        if isinstance(said, CaseResolved):
            steps["resolved"] = {"at": at, "day": heard.day(said.at)}
            if said.time_known:
                steps["known"] = steps["resolved"]
        elif isinstance(said, CaseResponded):
            if not said.human:
                return fact
            steps["replied"] = min(at, steps.get("replied", at))
        return {**fact, "cycles": {**fact["cycles"], cycle: steps}}

    def _opened(self, fact: Fact | None, heard: Heard, said: CaseOpened) -> Fact:
        dims = dict(said.dims)
        for name in OPENING_DIMS:
            value = getattr(said, name)
            if value is not None:
                dims[name] = value
        former = fact or {"cycles": {}, "reopened": {}, "closed": None}
        return {
            **former,
            "complaint": isinstance(said, ComplaintOpened),
            "type": heard.type,
            "day": heard.day(said.opened_at),
            "at": milliseconds(said.opened_at),
            "customer": said.customer_id,
            "dims": dims,
        }
