"""Which answers are so bad that somebody must act: a versioned policy, as data. Pure; reads no file."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.contracts.envelope import Code
from shared.contracts.questions import Metric, Scale
from shared.contracts.survey import Answer
from shared.policy.declared import Declared


class Rule(Declared):
    """Low is: at most `at_most` on exactly `scale`, or within the lowest `lowest_percent` of any scale."""

    metric: Metric
    scale: Scale | None = None
    at_most: int | None = None
    lowest_percent: Annotated[int, Field(ge=0, le=100)] | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        exact = self.scale is not None and self.at_most is not None
        nothing = self.scale is None and self.at_most is None
        if not (exact and self.lowest_percent is None) and not (nothing and self.lowest_percent is not None):
            raise ValueError("a rule has scale and at_most, or lowest_percent alone")
        if self.scale is not None and self.at_most is not None and not self.scale[0] <= self.at_most < self.scale[1]:
            raise ValueError("at_most lies on the scale and below its best value")
        return self

    def covers(self, answer: Answer) -> bool:
        """Whether this rule speaks of such answers."""
        return answer.metric == self.metric and self.scale in (None, answer.scale)

    def is_low(self, answer: Answer) -> bool:
        """Whether this answer, which the rule covers, is low."""
        if self.at_most is not None:
            return answer.value <= self.at_most
        worst, best = answer.scale
        return (answer.value - worst) * 100 <= (self.lowest_percent or 0) * (best - worst)


class Version(Declared):
    """One version of the policy, in force from a day (UTC) on."""

    version: Code
    effective_from: date
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    def is_low(self, answers: Iterable[Answer]) -> bool:
        """Whether any of the answers is low; one that no rule covers is not."""
        return any((rule := self._rule(answer)) is not None and rule.is_low(answer) for answer in answers)

    def _rule(self, answer: Answer) -> Rule | None:
        covering = [rule for rule in self.rules if rule.covers(answer)]
        return next((rule for rule in covering if rule.scale is not None), next(iter(covering), None))


class LowScore(Declared):
    """The policy with all its versions."""

    policy: Literal["low-score"]
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_day_twice(self) -> Self:
        if len({one.effective_from for one in self.versions}) != len(self.versions):
            raise ValueError("two versions take effect on the same day")
        if len({one.version for one in self.versions}) != len(self.versions):
            raise ValueError("two versions have the same name")
        return self

    def in_force(self, day: date) -> Version | None:
        """The version in force on a day; None before the first."""
        begun = [one for one in self.versions if one.effective_from <= day]
        return max(begun, key=lambda one: one.effective_from, default=None)
