"""Rules: how good a file is, by three scores that the policies declare (S1-05, S1-06, S2-18, S3-25).

Completeness: of the fields a complete file has, those it has. Validity: of its fields with a format, those written so.
Timeliness: what is left of the time within which a file is verified, none when it is stale. All in percent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from services.customer.model.customer import PERSONAL, Customer
from services.customer.model.files import unless_erased
from services.customer.model.filing import Filing
from shared.contracts import quality as said
from shared.contracts.decision import Said
from shared.policy.calendar.reckoning import months_later
from shared.policy.policies import Policies

STALE = "stale"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time of a verification that there never was."""


@dataclass(frozen=True)
class Yardstick:
    """The policies in force on one day: what was verified before `stale_before` is stale on it."""

    filing: Filing
    weights: Mapping[str, int]
    today: datetime
    stale_before: datetime
    version: str

    @classmethod
    def of(cls, policies: Policies, filing: Filing, on: date, zone: ZoneInfo) -> "Yardstick":
        """As in force on a day of this zone. Raises LimitUnset."""
        span, version = policies.span("quality.stale.after", on)
        weights = policies.value("quality.weights", on)
        limit = months_later(on, -span.months)
        keys = ("customer.fields.required", "customer.first_contact.required", "customer.field.formats")
        versions = [version, weights.version, *(policies.value(key, on).version for key in keys)]
        today, before = (datetime.combine(day, time.min, zone) for day in (on, limit))
        return cls(filing, weights.value, today, before, "+".join(dict.fromkeys(versions)))


@dataclass(frozen=True)
class Quality:
    """The scores of a file in percent, what is wrong with it as codes, and when it was last verified."""

    completeness: int
    validity: int
    timeliness: int
    score: int
    problems: tuple[str, ...]
    verified_at: datetime | None


def written_problems(state: Customer, filing: Filing) -> list[str]:
    """What is wrong with a file whatever the day: fields it lacks, and those not written as the policy asks."""
    fields = _fields(state)
    missing = [f"missing:{name}" for name in filing.lacking(fields)]
    return [*missing, *(f"malformed:{name}" for name in sorted(filing.malformed(fields)))]


def quality(state: Customer, measure: Yardstick) -> Quality:
    """How good a file is on the day of the yardstick."""
    fields = _fields(state)
    filing = measure.filing
    wanted, lacking = filing.wanted, filing.lacking(fields)
    formal = [name for name, value in fields.items() if value is not None and filing.has_form(name)]
    longest = (measure.today - measure.stale_before).days
    age = max((measure.today - verified_at(state)).days, 0)
    scores = {
        "completeness": _percent(len(wanted) - len(lacking), len(wanted)),
        "validity": _percent(len(formal) - len(filing.malformed(fields)), len(formal)),
        "timeliness": _percent(max(longest - age, 0), longest),
    }
    total = sum(measure.weights.get(name, 0) for name in scores)
    score = sum(measure.weights.get(name, 0) * value for name, value in scores.items()) // max(total, 1)
    problems = tuple(problems_of(state, measure))
    return Quality(**scores, score=score, problems=problems, verified_at=state.verified_at or state.contact_at)


def problems_of(state: Customer, measure: Yardstick) -> list[str]:
    """Everything wrong with a file; nothing of one that is erased or merged into another, which nobody corrects."""
    if is_void(state):
        return []
    return [*written_problems(state, measure.filing), *([STALE] if is_stale(state, measure) else [])]


def verified_at(state: Customer) -> datetime:
    """When the file was last known to be right: verified since, or told by the customer when it was opened."""
    return state.verified_at or state.contact_at or NEVER


def is_stale(state: Customer, measure: Yardstick) -> bool:
    """Whether the last verification is too long ago (S1-06)."""
    return verified_at(state) < measure.stale_before


def is_void(state: Customer) -> bool:
    """Whether nobody is to correct the file."""
    return state.erased_at is not None or state.merged_into is not None


def verify(state: Customer, now: datetime) -> list[Said]:
    """The file is right as it stands now. Raises CustomerErased."""
    unless_erased(state)
    return [Said(said.FileVerified(customer_id=state.customer_id, at=now, dims=state.dims_now("manyi", {}, None)), now)]


def _fields(state: Customer) -> dict[str, Any]:
    names = (*PERSONAL, "company", "credit_code", "kind", "channel", "lawful_basis", "industry", "size", "region")
    return {name: getattr(state, name) for name in names}


def _percent(part: int, whole: int) -> int:
    return 100 if whole == 0 else 100 * part // whole
