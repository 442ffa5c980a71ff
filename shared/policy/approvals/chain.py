"""Approval chains as packs declare them, and the route one request takes through its chain (S0-31, S0-40, S4-19)."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.policy.calendar.reckoning import DayEnd
from shared.policy.declared import Declared, Key, Role, Span

OnExpiry = Literal["escalate", "lapse"]


class Tier(Declared):
    """Who decides on amounts up to a limit. `below` excludes the limit, `at_most` includes it; both name a setting.

    The last tier has neither and is open upwards.
    """

    below: Key | None = None
    at_most: Key | None = None
    steps: Annotated[tuple[Role, ...], Field(min_length=1)]

    @property
    def limit(self) -> str | None:
        """The setting that bounds this tier; None for the open one."""
        return self.below or self.at_most

    def covers(self, amount: int, limit: int) -> bool:
        """Whether an amount (minor currency units) lies within this tier's limit."""
        return amount < limit if self.below is not None else amount <= limit


class Emergency(Declared):
    """Who may act at once (S0-32), and the setting that says how long the complete record may take afterwards."""

    by: Annotated[tuple[Role, ...], Field(min_length=1)]
    ratify_within: Key


class Chain(Declared):
    """Steps in their order, by amount where that matters; numbers stand in the settings named here."""

    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    within: Key | None = None
    on_expiry: OnExpiry | None = None
    escalate_to: Role | None = None
    same_approver_twice: bool = False
    hand_over: bool = True
    emergency: Emergency | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        *bounded, last = self.tiers
        if last.limit is not None or any((tier.below is None) == (tier.at_most is None) for tier in bounded):
            raise ValueError("every tier but the last has either below or at_most, the last has neither")
        if (self.within is None) != (self.on_expiry is None):
            raise ValueError("within and on_expiry belong together")
        if (self.on_expiry == "escalate") != (self.escalate_to is not None):
            raise ValueError("escalate_to belongs to on_expiry: escalate")
        return self

    @property
    def keys(self) -> frozenset[str]:
        """The settings this chain refers to."""
        found = {tier.limit for tier in self.tiers} | {self.within}
        if self.emergency is not None:
            found.add(self.emergency.ratify_within)
        return frozenset(key for key in found if key is not None)

    @property
    def roles(self) -> frozenset[str]:
        """The roles this chain speaks of."""
        found = {role for tier in self.tiers for role in tier.steps}
        found |= set(self.emergency.by) if self.emergency else set()
        return frozenset(found | ({self.escalate_to} if self.escalate_to else set()))


class Route(BaseModel):
    """The steps one request takes, resolved and frozen at its submission.

    `within` is the deadline of the whole route, `ratify_within` that of the record after an emergency; `escalate_every`
    lies between two levels of those who hear that it passed, up to `escalate_to`; `versions`
    are the policy versions that decided the route and its limits.
    """

    model_config = ConfigDict(frozen=True)
    steps: Annotated[tuple[Role, ...], Field(min_length=1)]
    versions: Annotated[tuple[str, ...], Field(min_length=1)]
    within: Span | None = None
    on_expiry: OnExpiry | None = None
    escalate_to: Role | None = None
    escalate_every: Span | None = None
    same_approver_twice: bool = False
    hand_over: bool = True
    emergency_by: tuple[Role, ...] = ()
    ratify_within: Span | None = None
    day_end: DayEnd = "midnight"

    @property
    def policy_version(self) -> str:
        """What an event decided on this route carries as its policy version."""
        return ", ".join(self.versions)
