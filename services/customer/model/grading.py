"""Rules: the grade A to D from recency, frequency and money, or by somebody's decision (S3-07, METRICS D21)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeVar
from zoneinfo import ZoneInfo

from services.customer.model.customer import Customer
from shared.contracts import customer as said
from shared.contracts.decision import Invalid, Refusal, Said
from shared.policy.calendar.reckoning import months_later
from shared.policy.policies import Policies

K = TypeVar("K")
SCORES = 5


class GradeUnknown(Invalid):
    SLUG = "grade-unknown"


class NotYoursToGrade(Refusal):
    """Only some roles override a grade."""

    STATUS = 403
    SLUG = "grade-override-not-permitted"


def counted_from(policies: Policies, on: date, zone: ZoneInfo) -> datetime:
    """From when on orders count: the day so long ago as `rfm.window` says, from its start here. Raises LimitUnset."""
    window, _ = policies.span("rfm.window", on)
    return datetime.combine(months_later(on, -window.months), time(), zone)


@dataclass(frozen=True)
class Bought:
    """A customer's orders within the window: days since the last, how many, net sum in minor units by currency."""

    recency_days: int
    frequency: int
    money: Mapping[str, int]


@dataclass(frozen=True)
class Scores:
    """Each from 1 (lowest fifth) to 5."""

    recency: int
    frequency: int
    money: int

    @property
    def total(self) -> int:
        """From 3 to 15."""
        return self.recency + self.frequency + self.money


@dataclass(frozen=True)
class Grades:
    """Least total of each grade, the best first, and who may decide otherwise."""

    least: tuple[tuple[int, str], ...]
    override_by: tuple[str, ...]
    version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Grades":
        """As in force on a day. Raises LimitUnset."""
        decided = policies.value("grade.least_score", on)
        least = sorted(((amount, grade) for grade, amount in decided.value.items() if amount is not None), reverse=True)
        return cls(tuple(least), tuple(policies.value("grade.override.by", on).value), decided.version)

    def grade(self, scores: Scores) -> str:
        """The best grade whose least total is reached. Raises GradeUnknown when there is none that low."""
        found = next((grade for least, grade in self.least if scores.total >= least), None)
        if found is None:
            raise GradeUnknown(f"grade.least_score has no grade for a total of {scores.total}; give the last one 0")
        return found


def rfm(customers: Mapping[K, Bought]) -> dict[K, Scores]:
    """Score every buyer among all; who bought nothing is not among them and has no score, which is not a low one."""
    recency = quintiles({key: -one.recency_days for key, one in customers.items()})
    frequency = quintiles({key: one.frequency for key, one in customers.items()})
    money: dict[K, int] = {}
    # Sums of several currencies are never added: each is ranked among its own, the best place counts.
    for currency in {currency for one in customers.values() for currency in one.money}:
        ranked = quintiles({key: one.money[currency] for key, one in customers.items() if currency in one.money})
        for key, score in ranked.items():
            money[key] = max(score, money.get(key, 1))
    return {key: Scores(recency[key], frequency[key], money.get(key, 1)) for key in customers}


def quintiles(values: Mapping[K, int]) -> dict[K, int]:
    """Score 1 to 5 by percentile rank; equal values have equal scores. Below five distinct values: the rank itself."""
    ordered = sorted(values.values())
    distinct = sorted(set(ordered))
    if len(distinct) < SCORES:
        return {key: 1 + bisect_left(distinct, value) for key, value in values.items()}
    return {key: -(-SCORES * bisect_right(ordered, value) // len(ordered)) for key, value in values.items()}


def computed(state: Customer | None, scores: Scores, grades: Grades, now: datetime) -> list[Said]:
    """The grade that the scores give, unless somebody decided it."""
    if state is None or state.grade_fixed:
        return []
    after = grades.grade(scores)
    if after == state.grade:
        return []
    event = said.CustomerGraded(
        customer_id=state.customer_id,
        before=state.grade,
        after=after,
        cause="rfm",
        recency=scores.recency,
        frequency=scores.frequency,
        money=scores.money,
        dims=state.dims_now("manyi", {"grade": after}, None),
    )
    return [Said(event, now, policy_version=grades.version)]


def override(
    state: Customer, grade: str, reason: str, roles: Iterable[str], grades: Grades, now: datetime
) -> list[Said]:
    """Somebody decides the grade, with the reason; it stays until decided otherwise. Raises NotYoursToGrade."""
    if not set(roles) & set(grades.override_by):
        raise NotYoursToGrade(f"a grade is decided by {', '.join(grades.override_by)}; ask one of them")
    if grade not in {name for _, name in grades.least}:
        raise GradeUnknown(f"{grade!r} is no grade; there are {', '.join(name for _, name in grades.least)}")
    event = said.CustomerGraded(
        customer_id=state.customer_id,
        before=state.grade,
        after=grade,
        cause="override",
        dims=state.dims_now("manyi", {"grade": grade}, None),
    )
    return [Said(event, now, {"reason": reason}, policy_version=grades.version)]
