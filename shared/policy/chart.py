"""Who holds which post, and who is above whom: supervisor → … → COO (S0-02, S0-13, S0-16). Pure; reads no file.

The lines of command and the units are the policy's; who holds a post is the company's own word, by opaque ids.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from shared.policy.policies import LimitUnset, Policies

LINE_KEY, UNITS_KEY = "roles.line", "organisation.units"


class Holder(NamedTuple):
    """Somebody in a post: a role in a department or team."""

    person: str
    role: str
    unit: str


class Rung(NamedTuple):
    """One level of those to be told: the role, and who holds it; nobody known where no post of it is held."""

    role: str
    people: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """`line`: role → the role it reports to; `units`: department or team → the one it belongs to."""

    line: Mapping[str, str]
    units: Mapping[str, str]
    holders: tuple[Holder, ...] = ()

    @classmethod
    def of(cls, policies: Policies, on: date, holders: Iterable[Holder] = ()) -> "Chart":
        """As the policies of a day draw it; where they say nothing nobody is above anybody."""
        line, units = (names(policies, key, on) for key in (LINE_KEY, UNITS_KEY))
        return cls(line, units, tuple(holders))

    def above(self, role: str) -> Iterator[str]:
        """The roles above one, the nearest first."""
        seen = {role}
        while (role := self.line.get(role, "")) and role not in seen:
            seen.add(role)
            yield role

    def units_of(self, person: str) -> tuple[str, ...]:
        """Where somebody holds a post."""
        return tuple(dict.fromkeys(one.unit for one in self.holders if one.person == person))

    def holding(self, role: str, near: Iterable[str] = ()) -> tuple[str, ...]:
        """Who holds a role: in the nearest unit around `near` where somebody does, else wherever it is held."""
        return self._nearest(role, near) or tuple(sorted({one.person for one in self.holders if one.role == role}))

    def supervisors(self, holder: Holder) -> tuple[str, ...]:
        """Who is next above somebody: vacant posts are passed over, and nobody supervises himself."""
        for role in self.above(holder.role):
            if people := tuple(one for one in self._nearest(role, [holder.unit]) if one != holder.person):
                return people
        return ()

    def rungs(self, role: str, last: str, near: Iterable[str] = ()) -> tuple[Rung, ...]:
        """The levels above a role up to `last`, which is told in any case; vacant levels are passed over."""
        between = list(self.above(role))
        roles = between[: between.index(last) + 1] if last in between else [last]
        around = tuple(near)
        found = [Rung(one, self.holding(one, around)) for one in roles]
        return tuple(one for one in found if one.people or one.role == last)

    def _nearest(self, role: str, near: Iterable[str]) -> tuple[str, ...]:
        for unit in self._outwards(near):
            if found := {one.person for one in self.holders if (one.role, one.unit) == (role, unit)}:
                return tuple(sorted(found))
        return ()

    def _outwards(self, near: Iterable[str]) -> Iterator[str]:
        ring, seen = list(near), set[str]()
        while ring:
            seen.update(ring)
            yield from ring
            ring = [self.units[one] for one in ring if one in self.units and self.units[one] not in seen]


def names(policies: Policies, key: str, on: date) -> Mapping[str, Any]:
    """A setting that gives names to names, as in force on a day; empty where the policies say nothing."""
    try:
        told: Mapping[str, Any] = policies.value(key, on).value
    except LimitUnset:
        return {}
    return told
