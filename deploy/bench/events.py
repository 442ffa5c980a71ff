"""Survey responses as they would stand on the topic: the same for the same seed, in order of recording."""

import itertools
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared.contracts.envelope import moment_text

FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
STEP_S = 365 * 86_400 / 500_000
"""Half a million in a year. Fewer fill a part of it, as densely: cells per event depend on events per day."""
TYPE = "manyi.survey.responded.v1"
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "source": ("shop", "crm", "desk"),
    "grade": ("A", "B", "C", "D"),
    "region": ("north", "south", "east", "west", "central", "abroad"),
    "industry": ("retail", "finance", "health", "machinery", "energy", "education", "transport", "public"),
    "channel": ("web", "app", "phone", "store"),
    "product_line": ("spindles", "looms", "parts", "service"),
}
QUESTIONS = (
    ("overall", "csat", 1, 5),
    ("recommend", "nps", 0, 10),
    ("effort", "ces", 1, 7),
    *((f"q{number}", "csat", 1, 5) for number in range(4, 11)),
)
MODES = ("web", "phone")
LATE_SHARE = 0.02
"""Responses that are recorded up to a month after they were given."""


def responses(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of `count` events."""
    for number in range(count):
        yield response(seed, number, FIRST_DAY + timedelta(seconds=number * STEP_S))


def response(seed: int, number: int, recorded: datetime, of: str | None = None) -> tuple[bytes, bytes]:
    """One event with 6 dimensions and 10 answers, of this customer or of anybody."""
    chance = random.Random(seed * 1_000_003 + number)  # noqa: S311 - reproducible, not secret
    subject = uuid.UUID(int=chance.getrandbits(128)).hex
    customer = of or f"{chance.randrange(50_000):032x}"
    said = recorded - timedelta(days=chance.uniform(1, 30)) if chance.random() < LATE_SHARE else recorded
    dims = {name: choice(values, chance) for name, values in DIMENSIONS.items()}
    answers: list[dict[str, Any]] = []
    for question, metric, low, high in QUESTIONS:
        value = max(low, min(high, round(chance.triangular(low - 0.5, high + 0.5, high - 0.5))))
        answers.append({"question": question, "factor": None, "metric": metric, "value": value, "scale": [low, high]})
    data = {
        "responseId": subject,
        "campaignId": f"campaign-{recorded.month:02}",
        "customerId": customer,
        "mode": choice(MODES, chance),
        "answers": answers,
        "scoring": "ratio_to_max",
        "index": sum(answer["value"] * 1_000_000 // answer["scale"][1] for answer in answers) // len(answers),
        "late": False,
        "anonymous": False,
        "hasComment": False,
        "topics": [],
        "dims": dims,
    }
    return written("survey", TYPE, chance, subject, customer, said, recorded, data)


def written(
    speaker: str,
    type_: str,
    chance: random.Random,
    subject: str,
    customer: str,
    said: datetime,
    recorded: datetime,
    data: dict[str, Any],
    revision: int = 1,
) -> tuple[bytes, bytes]:
    """Key and value of an event as the relay of a speaker would write it."""
    event = {
        "specversion": "1.0",
        "id": uuid.UUID(int=chance.getrandbits(128)).hex,
        "source": f"manyi/{speaker}",
        "type": type_,
        "subject": subject,
        "time": moment_text(said),
        "datacontenttype": "application/json",
        "recordedtime": moment_text(recorded),
        "partitionkey": customer,
        "revision": revision,
        "actor": "source:bench",
        "data": data,
    }
    return customer.encode(), orjson.dumps(event)


def choice(values: tuple[str, ...], chance: random.Random) -> str:
    """The earlier ones are more frequent, as in life."""
    weights = itertools.accumulate(1 / place for place in range(1, len(values) + 1))
    return chance.choices(values, cum_weights=list(weights))[0]
