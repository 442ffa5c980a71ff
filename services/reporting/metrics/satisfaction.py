"""Satisfaction: responses, CSAT, NPS, CES, mean rating and the satisfaction index (METRICS D1, D2, D3, D5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.reporting.configuration import Definition
from services.reporting.metrics.metric import NOTHING, Answer, Metric, Narrowing, Tally, weigh_points
from services.reporting.metrics.responses import Responses
from services.reporting.metrics.statistics import net_score_interval, wilson

Scale: TypeAlias = tuple[int, int]
Counts: TypeAlias = dict[int, int]
"""Answers by value."""


@dataclass(frozen=True)
class OneScale:
    """Formula of a metric on a single scale."""

    apply: Callable[[Scale, Counts], Answer]

    def answer(self, tag: str | None, tally: Tally, narrowing: Narrowing) -> Answer:
        """Scales are never mixed: several of them are answered apart, with no number over all."""
        scales = by_scale(tally, tag or narrowing.get("metric"), narrowing.get("scale"))
        if not scales:
            return Answer(None, 0, reason=NOTHING)
        if len(scales) == 1:
            (scale, counts), *_ = scales.items()
            answer = self.apply(scale, counts)
            answer.more["scale"] = list(scale)
            return answer
        apart = []
        for scale, counts in sorted(scales.items()):
            answer = self.apply(scale, counts)
            apart.append({"scale": list(scale), "value": answer.value, "n": answer.n, **answer.more})
        reason = "answers on several scales are never mixed: narrow by where.scale, where.question or where.metric"
        return Answer(None, sum(item["n"] for item in apart), reason=reason, more={"scales": apart})


def by_scale(tally: Tally, tag: str | None, scale: str | None) -> dict[Scale, Counts]:
    """Counts by value of each scale; `tag` and `scale` (such as 1-5) narrow."""
    scales: dict[Scale, Counts] = {}
    for name, amount in tally.items():
        metric, span, value = name.split(":")
        low, _, high = span.partition("~")
        if amount and (tag is None or metric == tag) and (scale is None or scale == f"{low}-{high}"):
            counts = scales.setdefault((int(low), int(high)), {})
            counts[int(value)] = counts.get(int(value), 0) + amount
    return scales


def counts_shown(scale: Scale, counts: Counts) -> dict[str, Any]:
    """Every value of the scale with its count, also 0."""
    return {"counts": {str(value): counts.get(value, 0) for value in range(scale[0], scale[1] + 1)}}


def csat(definition: Definition) -> Callable[[Scale, Counts], Answer]:
    """D1: satisfied ÷ valid ratings, Wilson interval; which points satisfy depends on the scale's length."""

    def apply(scale: Scale, counts: Counts) -> Answer:
        n = sum(counts.values())
        top = definition.satisfied_points.get(scale[1] - scale[0] + 1)
        if top is None:
            reason = f"the definition does not say which points of a scale {scale[0]}-{scale[1]} satisfy"
            return Answer(None, n, reason=reason, more=counts_shown(scale, counts))
        satisfied = sum(amount for value, amount in counts.items() if value > scale[1] - top)
        interval = wilson(satisfied, n, definition.z)
        return Answer(100 * satisfied / n, n, satisfied, interval, more=counts_shown(scale, counts))

    return apply


def nps(definition: Definition) -> Callable[[Scale, Counts], Answer]:
    """D2: promoters (9, 10) less detractors (0 to 6), in points; adjusted-Wald interval."""

    def apply(scale: Scale, counts: Counts) -> Answer:
        n = sum(counts.values())
        if scale != (0, 10):
            return Answer(None, n, reason="an NPS stands on the scale 0-10", more=counts_shown(scale, counts))
        promoters = sum(amount for value, amount in counts.items() if value >= 9)
        detractors = sum(amount for value, amount in counts.items() if value <= 6)
        centre, margin = net_score_interval(promoters, detractors, n, definition.z)
        shown = {"promoters": promoters, "detractors": detractors, "centre": centre, "margin": margin}
        interval = max(-100.0, centre - margin), min(100.0, centre + margin)
        more = {**shown, **counts_shown(scale, counts)}
        return Answer(100 * (promoters - detractors) / n, n, promoters - detractors, interval, more=more)

    return apply


def ces(definition: Definition) -> Callable[[Scale, Counts], Answer]:
    """D5: mean of 1-7; also the share that found it easy, and % 6-7 less % 1-3. Other scales: the mean alone."""

    def apply(scale: Scale, counts: Counts) -> Answer:
        answer = mean(scale, counts)
        if scale == (1, 7):
            easy = sum(amount for value, amount in counts.items() if value >= definition.easy_from)
            top = sum(amount for value, amount in counts.items() if value >= 6)
            bottom = sum(amount for value, amount in counts.items() if value <= 3)
            answer.count = easy
            answer.more |= {"easy": 100 * easy / answer.n, "net": 100 * (top - bottom) / answer.n}
        return answer

    return apply


def mean(scale: Scale, counts: Counts) -> Answer:
    """Σ value ÷ n on the scale's own points."""
    n = sum(counts.values())
    total = sum(value * amount for value, amount in counts.items())
    return Answer(total / n, n, more={"sum": total, **counts_shown(scale, counts)})


def index(tally: Tally, narrowing: Narrowing) -> Answer:
    """D3: mean of the responses' weighted indexes, 0 to 100; scoring methods are never mixed."""
    methods = {
        name.partition(":")[2]: amount
        for name, amount in tally.items()
        if amount and name.startswith("index:") and narrowing.get("scoring") in (None, name.partition(":")[2])
    }
    n = sum(methods.values())
    if not methods:
        return Answer(None, 0, reason=NOTHING)
    if len(methods) > 1:
        reason = "indexes of several scoring methods are never mixed: narrow by where.scoring"
        return Answer(None, n, reason=reason, more={"methods": methods})
    method = next(iter(methods))
    return Answer(tally[f"sum:{method}"] / n / 10_000, n, more={"scoring": method})


def responses_counted(tally: Tally, narrowing: Narrowing) -> Answer:
    n = tally.get("n", 0)
    return Answer(n, n, n)


def metrics(responses: Responses, definition: Definition) -> tuple[Metric, ...]:
    """The metrics of this theme."""

    def rated(
        name: str, en: str, zh: str, unit: str, clause: str, formula: str, apply: OneScale, tag: str | None
    ) -> Metric:
        def answer(tally: Tally, narrowing: Mapping[str, str]) -> Answer:
            return apply.answer(tag, tally, narrowing)

        return Metric(
            name,
            en,
            zh,
            unit,
            clause,
            formula,
            responses.name,
            responses.ratings,
            weigh_points(responses.ratings, lambda point: tag is None or point.startswith(f"{tag}:")),
            answer,
            named=frozenset({"scale"} if tag else {"scale", "metric"}),
        )

    counted = responses.counted
    return (
        Metric(
            "responses",
            "Responses",
            "有效答卷数",
            "responses",
            "Plain counts",
            "valid responses by day of occurrence",
            responses.name,
            counted,
            weigh_points(counted, lambda point: point == "n"),
            responses_counted,
        ),
        rated(
            "csat",
            "Customer satisfaction (CSAT)",
            "满意率",
            "percent",
            "D1",
            "satisfied ÷ valid ratings tagged csat; top 2 of 4 to 7 points, top 1 of 3, top 3 of 10; Wilson 95 %",
            OneScale(csat(definition)),
            "csat",
        ),
        rated(
            "nps",
            "Net promoter score (NPS)",
            "净推荐值",
            "points",
            "D2",
            "100 × (promoters 9-10 − detractors 0-6) ÷ answers tagged nps; interval adjusted Wald 95 %",
            OneScale(nps(definition)),
            "nps",
        ),
        rated(
            "ces",
            "Customer effort score (CES)",
            "客户费力度",
            "mean of the scale",
            "D5",
            "mean of answers tagged ces (1-7); easy = % 5-7; net = % 6-7 − % 1-3",
            OneScale(ces(definition)),
            "ces",
        ),
        rated(
            "rating_mean",
            "Mean rating",
            "平均评分",
            "mean of the scale",
            "Plain counts",
            "Σ value ÷ n of all scored answers, of one question (where.question) or one tag (where.metric); one scale",
            OneScale(mean),
            None,
        ),
        Metric(
            "satisfaction_index",
            "Satisfaction index",
            "满意度指数",
            "points of 100",
            "D3",
            "mean over responses of Σ weight × score ÷ Σ weight of the answered items",
            responses.name,
            counted,
            weigh_points(counted, lambda point: point.startswith(("index:", "sum:"))),
            index,
            named=frozenset({"scoring"}),
        ),
    )
