"""Rules: what a customer has bought, and what the relation is worth over its life (S0-09, S2-11, METRICS D21, D22)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median

from services.customer.model.grading import Bought
from services.customer.model.parts import Purchase
from shared.policy.policies import Policies

YEAR = timedelta(days=365)
LEFT = "churned"


@dataclass(frozen=True)
class Trade:
    """Orders that stand, with amounts in minor units by currency; `gap_days` is the median between order days."""

    orders: int
    void: int
    net: Mapping[str, int]
    unpaid: Mapping[str, int]
    first_at: datetime | None
    last_at: datetime | None
    gap_days: float | None
    recent: Bought | None
    """Recency, frequency and money of the latest orders; None without one that counts."""


@dataclass(frozen=True)
class Terms:
    """What the policies say of the worth of a relation; percents, years, and minor units of one currency."""

    currency: str
    margin: int
    churn: Mapping[str, int]
    discount: int
    longest: int
    tiers: tuple[tuple[int, str], ...]
    version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Terms":
        """As in force on a day. Raises LimitUnset."""
        margin = policies.value("clv.margin", on)
        tiers = policies.value("clv.tiers", on).value
        return cls(
            currency=policies.value("money.currency", on).value,
            margin=margin.value,
            churn=policies.value("clv.churn", on).value,
            discount=policies.value("clv.discount", on).value,
            longest=policies.value("clv.years.longest", on).value,
            tiers=tuple(sorted(((least, name) for name, least in tiers.items() if least is not None), reverse=True)),
            version=margin.version,
        )


@dataclass(frozen=True)
class Lifetime:
    """Both parts of the value in minor units, the years that are expected, and the tier it reaches."""

    past: int
    projected: int
    years: float
    tier: str | None

    @property
    def value(self) -> int:
        return self.past + self.projected


def trade(purchases: Sequence[Purchase], since: datetime, now: datetime) -> Trade:
    """What was bought, what of it is unpaid, and how often; void orders count as nothing. `since`: what is recent."""
    standing = sorted((one for one in purchases if not one.void), key=lambda one: one.occurred_at)
    days = sorted({one.occurred_at.date() for one in standing})
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    lately = [one for one in standing if since <= one.occurred_at <= now]
    return Trade(
        orders=len(standing),
        void=len(purchases) - len(standing),
        net=_net(standing),
        unpaid=_net(one for one in standing if not one.paid),
        first_at=standing[0].occurred_at if standing else None,
        last_at=standing[-1].occurred_at if standing else None,
        gap_days=float(median(gaps)) if gaps else None,
        recent=Bought((now - lately[-1].occurred_at).days, len(lately), _net(lately)) if lately else None,
    )


def lifetime(found: Trade, grade: str | None, lifecycle: str, terms: Terms, now: datetime) -> Lifetime | None:
    """Past margin, and the yearly margin over the expected years, discounted; None where nothing was ever bought.

    Who has left, or has no grade whose churn is known, is expected to buy nothing more.
    """
    if found.first_at is None:
        return None
    past = Fraction(found.net.get(terms.currency, 0) * terms.margin, 100)
    known = max(Fraction(1), Fraction(int((now - found.first_at).total_seconds()), int(YEAR.total_seconds())))
    churn = None if grade is None or lifecycle == LEFT else terms.churn.get(grade)
    years = Fraction(0) if churn is None else _expected(churn, terms)
    projected = past / known * _discounted(years, terms.discount)
    worth = round(past) + round(projected)
    tier = next((name for least, name in terms.tiers if worth >= least), None)
    return Lifetime(round(past), round(projected), float(years), tier)


def _expected(churn: int, terms: Terms) -> Fraction:
    """One over the yearly churn, at most the longest."""
    return Fraction(terms.longest) if churn == 0 else min(Fraction(terms.longest), Fraction(100, churn))


def _discounted(years: Fraction, percent: int) -> Fraction:
    """The worth today of one a year, at the end of each, the last one in part."""
    rate = 1 + Fraction(percent, 100)
    whole = int(years)
    return sum((1 / rate**year for year in range(1, whole + 1)), Fraction(0)) + (years - whole) / rate ** (whole + 1)


def _net(purchases: Iterable[Purchase]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in purchases:
        sums[one.currency] += one.amount - one.refunded
    return dict(sums)
