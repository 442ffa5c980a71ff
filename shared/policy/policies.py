"""Asking the packs: the value of a key on a day, with the version that decided; unset refuses (ARCHITECTURE §7)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, cast, get_args

from shared.contracts.decision import Refusal
from shared.policy.approvals.chain import Chain, Route
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.reckoning import DayEnd
from shared.policy.declared import Span, SpanUnit
from shared.policy.pack import ROLES_KEY, Document, Edition, Pack
from shared.policy.settings import Length, Setting, Table, Titles

DAY_END_KEY = "deadline.day_end"
CALENDAR_KEY = "calendar.company"
ESCALATE_KEY = "approval.escalate.every"
_SPANS = frozenset(get_args(SpanUnit))
REMEMBERED = 4_096
"""Answers: a command asks for a dozen keys of one day, and nearly all commands of that day ask for the same."""


class LimitUnset(Refusal):
    """A limit that must be set before use is not: nothing is approved by default (S0-40, Q3)."""

    SLUG = "limit-unset"

    def __init__(self, key: str, places: str) -> None:
        super().__init__(f"{key} is not set: set it in {places} in a new version of the policy, then ask again")
        self.key = key


class UnitMistaken(ValueError):
    """Code asks for a span, a chain or a table where the packs declare something else."""


@dataclass(frozen=True)
class Decided:
    """A value, the setting it comes from, and the version to be written into what it decides."""

    value: Any
    setting: Setting
    edition: Edition

    @property
    def version(self) -> str:
        """The policy version for the event."""
        return self.edition.stamp


class Policies:
    """The packs an installation follows, the most particular first: the first that speaks of a key decides it.

    A pack that sets a key to null speaks of it: the key is unset, whatever the packs behind it say. Days are those of
    the installation's time zone.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        if not packs:
            raise ValueError("an installation follows at least one pack")
        if len({pack.pack for pack in packs}) != len(packs):
            raise ValueError("a pack is named twice")
        self.packs = tuple(packs)
        self._editions = [sorted(pack.editions(), key=lambda one: one.effective_from) for pack in packs]
        self._calendars: dict[str, Calendar] = {}
        self._speaking = lru_cache(REMEMBERED)(self._find)

    def in_force(self, on: date) -> Iterator[Edition]:
        """Every document as it stands on a day, in the order in which the packs are asked."""
        for editions in self._editions:
            latest = {one.document: one for one in editions if one.effective_from <= on}
            yield from latest.values()

    def speaking(self, key: str, on: date) -> tuple[Setting, Edition] | None:
        """The setting in force and the edition it stands in, set or not; None when no pack speaks of the key."""
        return self._speaking(key, on)

    def _find(self, key: str, on: date) -> tuple[Setting, Edition] | None:
        return next(((one.settings[key], one) for one in self.in_force(on) if key in one.settings), None)

    def value(self, key: str, on: date) -> Decided:
        """The value of a key on a day. Raises LimitUnset when it is null, or no pack speaks of it on that day."""
        found = self.speaking(key, on)
        if found is None:
            raise LimitUnset(key, " or ".join(f"shared/policy/packs/{pack.file}" for pack in self.packs))
        setting, edition = found
        if setting.value is None:
            raise LimitUnset(key, f"shared/policy/packs/{edition.pack}.yaml")
        return Decided(setting.value, setting, edition)

    def span(self, key: str, on: date) -> tuple[Span, str]:
        """A deadline or period, and the version that set it."""
        decided = self.value(key, on)
        if not isinstance(decided.setting, Length):
            raise UnitMistaken(f"{key} is no length of time")
        return Span(amount=decided.value, unit=decided.setting.unit), decided.version

    def row(self, key: str, row: str, on: date) -> tuple[int | Span, str]:
        """One row of a table (a Span where the table is one of time), and the version that set it."""
        decided = self.value(key, on)
        if not isinstance(decided.setting, Table):
            raise UnitMistaken(f"{key} is no table")
        amount = decided.value.get(row)
        if amount is None:
            raise LimitUnset(f"{key}[{row}]", f"shared/policy/packs/{decided.edition.pack}.yaml")
        of = decided.setting.of
        return (Span(amount=amount, unit=cast("SpanUnit", of)) if of in _SPANS else amount), decided.version

    def titles(self, on: date) -> dict[str, str]:
        """Every title of the packs and its role (S0-13, S3-01, S4-03); the first pack that names a title decides."""
        found: dict[str, str] = {}
        for edition in self.in_force(on):
            titles = edition.settings.get(ROLES_KEY)
            if isinstance(titles, Titles):
                found = {**(titles.value or {}), **found}
        return found

    def calendar(self, on: date, key: str = CALENDAR_KEY) -> Calendar:
        """The business calendar in force on a day; the same object for the same version, so its days are kept."""
        decided = self.value(key, on)
        known = f"{key} {decided.version}"
        if known not in self._calendars:
            place = f"{key} in shared/policy/packs/{decided.edition.pack}.yaml"
            self._calendars[known] = Calendar(decided.value, place)
        return self._calendars[known]

    def day_end(self, on: date) -> DayEnd:
        """Whether a last day ends at 24:00 or with business (Q1)."""
        return cast("DayEnd", self.value(DAY_END_KEY, on).value)

    def route(self, key: str, on: date, amount: int | None = None) -> Route:
        """The steps a request takes through the chain `key`; `amount` in minor units chooses the tier.

        Raises LimitUnset when a limit below the amount, the deadline or the emergency's is unset; ValueError
        when a chain with limits is asked without an amount or with a negative one.
        """
        decided = self.value(key, on)
        chain = decided.value
        if not isinstance(chain, Chain):
            raise UnitMistaken(f"{key} is no approval chain")
        versions = [decided.version]
        steps = self._steps(key, chain, on, amount, versions)
        within = self._said(chain.within, on, versions)
        ratify = self._said(chain.emergency.ratify_within if chain.emergency else None, on, versions)
        return Route(
            steps=steps,
            versions=tuple(dict.fromkeys(versions)),
            within=within,
            on_expiry=chain.on_expiry,
            escalate_to=chain.escalate_to,
            escalate_every=self._between_levels(on, versions) if chain.escalate_to else None,
            same_approver_twice=chain.same_approver_twice,
            hand_over=chain.hand_over,
            emergency_by=chain.emergency.by if chain.emergency else (),
            ratify_within=ratify,
            day_end=self.day_end(on) if within or ratify else "midnight",
        )

    def _steps(self, key: str, chain: Chain, on: date, amount: int | None, versions: list[str]) -> tuple[str, ...]:
        *bounded, last = chain.tiers
        if bounded and (amount is None or amount < 0):
            raise ValueError(f"{key} has limits: say the amount, in minor units and not negative")
        for tier in bounded:
            limit = self.value(str(tier.limit), on)
            versions.append(limit.version)
            if tier.covers(amount or 0, limit.value):
                return tier.steps
        return last.steps

    def _between_levels(self, on: date, versions: list[str]) -> Span | None:
        if (found := self.speaking(ESCALATE_KEY, on)) is None or found[0].value is None:
            return None
        return self._said(ESCALATE_KEY, on, versions)

    def _said(self, key: str | None, on: date, versions: list[str]) -> Span | None:
        if key is None:
            return None
        span, version = self.span(key, on)
        versions.append(version)
        return span


def due_for_review(packs: Iterable[Pack], on: date) -> list[tuple[Pack, Document]]:
    """The documents whose yearly review has come by this day (S0-43, S1-24), the longest overdue first."""
    due = [(pack, document) for pack in packs for document in pack.documents if document.review_on <= on]
    return sorted(due, key=lambda pair: pair[1].review_on)
