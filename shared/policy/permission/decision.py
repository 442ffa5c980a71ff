"""May this caller do this to that, now? Pure: everything it looks at is an argument (S0-37, S2-21, DOMAIN E4).

Denied by default. The hard rules come before every right: an auditor never writes, who requested does not approve.
"""

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.policy.approvals.acting import Substitution
from shared.policy.permission.organisation import Organisation
from shared.policy.permission.table import AUDITOR, Fields, Right, Version, more

Reason = Literal["unknown-action", "auditor-never-writes", "requester-is-approver", "no-permission", "out-of-scope"]


@dataclass(frozen=True)
class Caller:
    """Who asks. `subject` is written into events and audit; `unrestricted` is the local caller of an unprotected
    process, who may do everything."""

    subject: str
    roles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    unrestricted: bool = False
    standing_in: tuple[Substitution, ...] = ()
    """Whose roles the caller takes over now (代理); they count where something is approved, nowhere else."""

    @property
    def actor(self) -> str:
        """The name in an event's `actor`."""
        return self.subject


@dataclass(frozen=True)
class Facts:
    """What is known of the object: its id, who owns it, who requested what is approved. Nothing: all rows at once.

    `claimable`: an object of this kind has an owner sooner or later, so without one it is unclaimed.
    """

    id: str | None = None
    owners: frozenset[str] = frozenset()
    requester: str | None = None
    claimable: bool = False


@dataclass(frozen=True)
class Grant:
    """A right to one action on one object from `starts` until before `ends`, unless taken back."""

    grantee: str
    action: str
    object_id: str
    starts: datetime
    ends: datetime
    revoked: bool = False

    def holds(self, now: datetime) -> bool:
        """Whether it is in force at this instant."""
        return not self.revoked and self.starts <= now < self.ends


@dataclass(frozen=True)
class Allowed:
    """Yes, seeing this much of the personal fields."""

    fields: Fields


@dataclass(frozen=True)
class Denied:
    """No, and why."""

    reason: Reason


@dataclass(frozen=True)
class Reach:
    """Which rows a caller reaches with an action: all, or those of the owners, unclaimed, and by id."""

    everything: bool = False
    owners: frozenset[str] = frozenset()
    unclaimed: bool = False
    ids: frozenset[str] = frozenset()

    def covers(self, facts: Facts) -> bool:
        """Whether a row with these facts is among them."""
        unclaimed = self.unclaimed and facts.claimable and not facts.owners
        return self.everything or bool(self.owners & facts.owners) or unclaimed or facts.id in self.ids

    def __or__(self, other: "Reach") -> "Reach":
        return Reach(
            self.everything or other.everything,
            self.owners | other.owners,
            self.unclaimed or other.unclaimed,
            self.ids | other.ids,
        )


@dataclass(frozen=True)
class Question:
    """One caller, one action, one instant: what all decisions of a request have in common.

    `topic` is the one that the rows belong to, by which the rights of service accounts reach them.
    """

    table: Version
    organisation: Organisation
    caller: Caller
    action: str
    now: datetime
    topic: str | None = None
    grants: Sequence[Grant] = ()

    @property
    def logged(self) -> bool:
        """Whether every reading by this action must be written down."""
        action = self.table.actions.get(self.action)
        return action is not None and action.kind == "read" and action.logged

    def refused(self) -> Denied | None:
        """Why nothing at all can be allowed, whatever the object; None when it depends on the object."""
        action = self.table.actions.get(self.action)
        if action is None:
            return Denied("unknown-action")
        if self.caller.unrestricted:
            return None
        if AUDITOR in self.caller.roles and action.kind != "read":
            return Denied("auditor-never-writes")
        return None if self._rights else Denied("no-permission")

    def may(self, facts: Facts) -> Allowed | Denied:
        """Decide on one object."""
        refused = self.refused()
        if refused is not None:
            return refused
        if self.caller.unrestricted:
            return Allowed("full")
        if self.table.actions[self.action].kind == "approve" and facts.requester == self.caller.subject:
            return Denied("requester-is-approver")
        shown: Fields | None = None
        for right, reach in self._rights:
            if reach.covers(facts):
                shown = right.fields if shown is None else more(shown, right.fields)
        return Denied("out-of-scope") if shown is None else Allowed(shown)

    def reach(self) -> Reach:
        """Which rows of a list. A row within it still asks `may` for its fields."""
        if self.refused() is not None:
            return Reach()
        if self.caller.unrestricted:
            return Reach(everything=True)
        return functools.reduce(operator.or_, (reach for _, reach in self._rights), Reach())

    @functools.cached_property
    def _rights(self) -> list[tuple[Right, Reach]]:
        """What speaks of the action, each with the rows it reaches: the caller's own rights and, where something is
        approved, those of the roles lent, which reach what they reach for the absent one."""
        caller = self.caller
        places = [(caller.subject, caller.roles, caller.teams)]
        if self.table.actions[self.action].kind == "approve":
            places += [
                (one.absent, frozenset({one.role}), self.organisation.teams_of(one.absent))
                for one in caller.standing_in
            ]
        return [
            (right, self._reach(right, person, teams))
            for person, roles, teams in places
            for right in self.table.rights(roles, self.action)
        ]

    def _reach(self, right: Right, person: str, teams: frozenset[str]) -> Reach:
        owners: frozenset[str] = frozenset()
        if "own" in right.scope:
            owners |= {person}
        if "team" in right.scope:
            owners |= self.organisation.members(teams)
        ids: frozenset[str] = frozenset()
        if "granted" in right.scope:
            ids = frozenset(
                grant.object_id
                for grant in self.grants
                if grant.grantee == person and grant.action == self.action and grant.holds(self.now)
            )
        everything = "all" in right.scope or ("topic" in right.scope and self.topic in self.caller.topics)
        return Reach(everything, owners, "unclaimed" in right.scope, ids)
