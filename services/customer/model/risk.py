"""Rules: how likely a customer is to leave, 0 to 100, each point with its reason and what it rests on (METRICS D23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median

from services.customer.model.heard import CaseTold, Told
from services.customer.model.parts import Contract, Purchase
from shared.policy.policies import Policies

MOST = 100
DETRACTOR_AT_MOST = 6
"""On the scale of NPS, 0 to 10, by its definition (Reichheld)."""
PER_POINT = 10_000
"""The index travels in 1/10,000 of a point."""
GAPS_NEEDED = 2
"""Fewer gaps between orders say nothing about a rhythm."""


@dataclass(frozen=True)
class Weights:
    """What each sign of leaving counts, and from when on it is one."""

    points: dict[str, int]
    score_drop: int
    order_gap: int
    contract_ends: timedelta
    version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Weights":
        """As in force on a day. Raises LimitUnset."""
        points = policies.value("risk.points", on)
        ends, _ = policies.span("risk.contract_ends.within", on)
        return cls(
            {name: one for name, one in points.value.items() if one is not None},
            policies.value("risk.score_drop.at_least", on).value,
            policies.value("risk.order_gap.times", on).value,
            timedelta(days=ends.amount),
            points.version,
        )


@dataclass(frozen=True)
class Reason:
    """A sign that the customer may leave; `about` names the events, orders or contracts that show it."""

    code: str
    points: int
    about: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What is looked at: cases, responses (the last first), what was bought and signed, and who should have been spoken
    with: `unheard` names the last conversation, or else the file, of a customer whom nobody contacted in time (S1-17).
    """

    cases: Sequence[CaseTold] = ()
    responses: Sequence[Told] = ()
    purchases: Sequence[tuple[str, Purchase]] = ()
    contracts: Sequence[tuple[str, Contract]] = ()
    unheard: str | None = None


def reasons(seen: Seen, weights: Weights, now: datetime) -> list[Reason]:
    """Every sign there is, the weightiest first."""
    signs = {
        "open_complaint": [one.opened_by for one in seen.cases if one.open and one.kind == "complaint"],
        "deadline_breached": [event for one in seen.cases if one.open for event in one.breached],
        "detractor": _detractor(seen.responses),
        "score_drop": _drop(seen.responses, weights.score_drop),
        "contact_overdue": [] if seen.unheard is None else [seen.unheard],
        "order_gap": _gap(seen.purchases, weights.order_gap, now),
        "contract_ends": [
            name for name, one in seen.contracts if one.ends_at and now <= one.ends_at < now + weights.contract_ends
        ],
    }
    found = [Reason(code, weights.points.get(code, 0), tuple(about)) for code, about in signs.items() if about]
    return sorted(found, key=lambda one: -one.points)


def score(found: Sequence[Reason]) -> int:
    """From 0 to 100."""
    return min(MOST, sum(one.points for one in found))


def _detractor(responses: Sequence[Told]) -> list[str]:
    """Who was last asked for a recommendation and would not give one."""
    last = next((one for one in responses if "nps" in one.data), None)
    return [last.event] if last is not None and last.data["nps"] <= DETRACTOR_AT_MOST else []


def _drop(responses: Sequence[Told], at_least: int) -> list[str]:
    """The last index is that many points below the one before."""
    scored = [one for one in responses if "index" in one.data][:2]
    if len(scored) < 2 or scored[1].data["index"] - scored[0].data["index"] < at_least * PER_POINT:
        return []
    return [one.event for one in scored]


def _gap(purchases: Sequence[tuple[str, Purchase]], times: int, now: datetime) -> list[str]:
    """Nothing was ordered for so many times the customer's own median gap."""
    orders = sorted((one.occurred_at, name) for name, one in purchases if not one.void)
    gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in pairwise(orders) if later[0] > earlier[0]]
    if len(gaps) < GAPS_NEEDED:
        return []
    at, name = orders[-1]
    return [name] if (now - at).total_seconds() > times * median(gaps) else []
