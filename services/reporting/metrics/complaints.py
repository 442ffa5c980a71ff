"""Complaints: opened, reopened, answered, resolved, SLA kept (METRICS D12 to D15, plain counts, outside verdicts)."""

from collections.abc import Callable, Sequence

from services.reporting.configuration import Definition
from services.reporting.metrics.cases import Cases, last_known_resolution, reply_ms, took_ms
from services.reporting.metrics.metric import NOTHING, Answer, Metric, Narrowing, Tally, Window, weigh_points
from services.reporting.metrics.statistics import LogBuckets, percentile, wilson
from shared.plumbing.projection import Entry, Fact

HOUR_MS = 3600 * 1000


def share(count_name: str, of_name: str, z: float) -> Callable[[Tally, Narrowing], Answer]:
    """Formula of a rate: count ÷ n in percent, with its Wilson interval."""

    def answer(tally: Tally, narrowing: Narrowing) -> Answer:
        count, n = tally.get(count_name, 0), tally.get(of_name, 0)
        if n == 0:
            return Answer(None, 0, 0, reason=NOTHING)
        return Answer(100 * count / n, n, count, wilson(count, n, z))

    return answer


def counted(name: str) -> Callable[[Tally, Narrowing], Answer]:
    """Formula of a plain count."""

    def answer(tally: Tally, narrowing: Narrowing) -> Answer:
        count = tally.get(name, 0)
        return Answer(count, count, count)

    return answer


def hours(prefix: str, buckets: LogBuckets, of_name: str | None) -> Callable[[Tally, Narrowing], Answer]:
    """Median and 90th percentile in hours, from log buckets (`prefix:b`) or exact milliseconds (`prefix=ms`).

    `of_name` counts the cohort where not all of it has a duration yet: the others are told apart as `unanswered`.
    """

    def answer(tally: Tally, narrowing: Narrowing) -> Answer:
        spent: dict[float, int] = {}
        for name, amount in tally.items():
            if amount and name.startswith(f"{prefix}:"):
                value = buckets.seconds(int(name.partition(":")[2])) / 3600
                spent[value] = spent.get(value, 0) + amount
            elif amount and name.startswith(f"{prefix}="):
                value = int(name.partition("=")[2]) / HOUR_MS
                spent[value] = spent.get(value, 0) + amount
        n = sum(spent.values())
        more: dict[str, object] = {}
        if of_name is not None:
            more["unanswered"] = tally.get(of_name, 0) - n
        if n == 0:
            return Answer(None, 0, reason=NOTHING, more=more)
        return Answer(percentile(spent, 50), n, more={"p90": percentile(spent, 90), **more})

    return answer


def weigh_resolution(part: Sequence[Entry], whole: Fact, window: Window) -> Tally:
    """D13, exact: the gross time of a complaint whose last known resolving lies in the window."""
    last = last_known_resolution(whole)
    if last is None or not window.holds(last["day"]):
        return {}
    return {f"hours={took_ms(whole, last['at'])}": 1}


def weigh_reply(part: Sequence[Entry], whole: Fact, window: Window) -> Tally:
    """D12, exact: a complaint opened in the window, answered or not."""
    if not window.holds(whole["day"]):
        return {}
    reply = reply_ms(whole)
    return {"opened": 1} if reply is None else {"opened": 1, f"reply={reply}": 1}


def metrics(cases: Cases, definition: Definition) -> tuple[Metric, ...]:
    """The metrics of this theme."""
    complaints, verdicts, z = cases.complaints, cases.verdicts, definition.z
    buckets = cases.buckets

    def named(*names: str) -> Callable[[str], bool]:
        return lambda point: point in names

    return (
        Metric(
            "complaints_opened",
            "Complaints opened",
            "投诉受理数",
            "complaints",
            "Plain counts",
            "complaint cases by day of opening",
            cases.name,
            complaints,
            weigh_points(complaints, named("opened")),
            counted("opened"),
        ),
        Metric(
            "cases_reopened",
            "Complaints reopened",
            "重开投诉数",
            "complaints",
            "Plain counts",
            "complaints opened in the period and reopened at least once, whenever",
            cases.name,
            complaints,
            weigh_points(complaints, named("reopened")),
            counted("reopened"),
        ),
        Metric(
            "reopen_rate",
            "Reopen rate",
            "重开率",
            "percent",
            "D15",
            f"of complaints first resolved in the period: reopened within {definition.reopen_window_days} days",
            cases.name,
            complaints,
            weigh_points(complaints, named("resolved", "soon")),
            share("soon", "resolved", z),
        ),
        Metric(
            "first_response_time",
            "First response time",
            "首次响应时长",
            "hours",
            "D12",
            "opening → first human reply, wall clock, median; complaints opened in the period, unanswered told apart",
            cases.name,
            cases.replies,
            weigh_reply,
            hours("reply", buckets, "opened"),
        ),
        Metric(
            "resolution_time",
            "Resolution time",
            "解决时长",
            "hours",
            "D13",
            "opening → last resolving with a known time, wall clock, median; complaints so resolved in the period",
            cases.name,
            cases.resolutions,
            weigh_resolution,
            hours("hours", buckets, None),
        ),
        Metric(
            "sla_kept",
            "SLA kept",
            "SLA 达成率",
            "percent",
            "D14",
            "of complaints closed in the period with a verdict: kept, by the desk that closed them",
            cases.name,
            verdicts,
            weigh_points(verdicts, named("closed", "kept")),
            share("kept", "closed", z),
        ),
    )
