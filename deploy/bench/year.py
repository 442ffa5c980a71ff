"""A year of facts of every kind, in the order of time: responses, cases with their steps, customers with orders."""

import itertools
import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from deploy.bench.events import DIMENSIONS, FIRST_DAY, choice, response, written
from deploy.bench.ground import Record
from shared.contracts.envelope import moment_text

YEAR = timedelta(days=365)
LAST_DAY = FIRST_DAY + YEAR
CASES_OF, CUSTOMERS_OF = frozenset({7}), frozenset({13})
KINDS = 20
"""Of every twenty facts one is a case, one a customer, and the others are responses, as frequent as in life."""
PRIORITIES = ("normal", "high", "urgent")
CATEGORIES = ("delivery", "quality", "invoice", "service")


def year(facts: int, seed: int) -> Iterator[Record]:
    """The events of so many facts, spread evenly over the year: tenfold facts are tenfold facts a day."""
    for number in range(facts):
        yield from _fact(seed, number, FIRST_DAY + YEAR * (number / facts))


def _fact(seed: int, number: int, moment: datetime) -> Iterator[Record]:
    if number % KINDS in CASES_OF:
        steps, speaker = _case(seed, number, moment), "feedback"
    elif number % KINDS in CUSTOMERS_OF:
        steps, speaker = _customer(seed, number, moment), "customer"
    else:
        steps, speaker = iter([response(seed, number, moment)]), "survey"
    return ((f"{speaker}-events", key, value) for key, value in steps)


def complaint(chance: random.Random, case: str, customer: str, moment: datetime, channel: str) -> tuple[bytes, bytes]:
    """A complaint is opened."""
    data = {
        "caseId": case,
        "customerId": customer,
        "channel": channel,
        "category": choice(CATEGORIES, chance),
        "desk": "outside",
        "openedAt": moment_text(moment),
        "dims": _dims(chance),
    }
    return written("feedback", "manyi.complaint.opened.v1", chance, case, customer, moment, moment, data)


def _case(seed: int, number: int, moment: datetime) -> Iterator[tuple[bytes, bytes]]:
    """Opened, answered, resolved, one in four opened and resolved once more, closed."""
    chance = _chance(seed, number)
    case, customer = _id(chance), f"{chance.randrange(50_000):032x}"
    yield complaint(chance, case, customer, moment, choice(DIMENSIONS["channel"], chance))
    closing = {"priority": choice(PRIORITIES, chance), "slaKept": chance.random() < 0.8}
    steps: list[tuple[str, int, dict[str, Any]]] = [("responded", 1, {"human": True}), ("resolved", 1, {})]
    if again := chance.random() < 0.25:
        steps += [("reopened", 2, {}), ("resolved", 2, {})]
    steps.append(("closed", 2 if again else 1, closing))
    for revision, (step, cycle, more) in enumerate(steps, 2):
        moment += timedelta(hours=chance.expovariate(0.2))
        data = {"caseId": case, "cycle": cycle, "at": moment_text(moment), **more}
        yield written(
            "feedback", f"manyi.case.{step}.v1", chance, case, customer, moment, moment, data, revision=revision
        )


def _customer(seed: int, number: int, moment: datetime) -> Iterator[tuple[bytes, bytes]]:
    """One to three orders, and for every second customer a contract of a few months."""
    chance = _chance(seed, number)
    customer, dims = _id(chance), _dims(chance)
    revisions = itertools.count(1)

    def said(event: str, more: dict[str, Any]) -> tuple[bytes, bytes]:
        data = {"customerId": customer, "dims": dims, "currency": "CNY", **more}
        return written(
            "customer",
            f"manyi.customer.{event}.v1",
            chance,
            customer,
            customer,
            moment,
            moment,
            data,
            revision=next(revisions),
        )

    for _ in range(chance.choice((1, 1, 2, 3))):
        amount = chance.randrange(1_000, 1_000_000)
        yield said(
            "purchase.recorded", {"purchaseId": _id(chance), "amount": amount, "occurredAt": moment_text(moment)}
        )
        moment += timedelta(days=chance.expovariate(1 / 60))
    if chance.random() < 0.5:
        contract = {"startsAt": moment_text(moment), "endsAt": moment_text(moment + timedelta(days=120))}
        monthly = chance.randrange(1_000, 100_000)
        yield said("contract.signed", {"contractId": _id(chance), "monthlyAmount": monthly, **contract})


def _dims(chance: random.Random) -> dict[str, str]:
    return {name: choice(DIMENSIONS[name], chance) for name in ("source", "grade", "region", "product_line")}


def _chance(seed: int, number: int) -> random.Random:
    return random.Random(seed * 1_000_003 + number)  # noqa: S311 - reproducible, not secret


def _id(chance: random.Random) -> str:
    return uuid.UUID(int=chance.getrandbits(128)).hex
