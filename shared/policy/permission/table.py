"""The roles table: actions, and for each role which of them it may do, on which rows, seeing which fields (E4, S2-21).

What is not in the table is denied. Pure; reads no file.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Scope = Literal["own", "team", "unclaimed", "granted", "topic", "all"]
"""On which rows: one's own, one's team's, those that nobody owns yet, those granted for a time, those of the topics a
service account may use, or all of them."""
Fields = Literal["none", "masked", "full"]
"""How much of the personal fields is shown, the least first."""
Kind = Literal["read", "write", "approve"]
ActionName = Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)+$", max_length=60)]
RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z_]*$", max_length=60)]
AUDITOR = "auditor"
SYSTEM = "system"


class Declared(BaseModel):
    """Base of what the file declares: unknown fields are refused, so that a misspelt right is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(Declared):
    """One thing that can be done. `logged`: every time it is done is written to the audit, reading too (S0-37)."""

    kind: Kind
    logged: bool = False


class Right(Declared):
    """One role's right to one action; in the file also short, such as `own+granted`, which shows all fields."""

    scope: Annotated[frozenset[Scope], Field(min_length=1)]
    fields: Fields = "full"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        told = {"scope": value} if isinstance(value, str) else value
        if isinstance(told, Mapping) and isinstance(told.get("scope"), str):
            return {**told, "scope": frozenset(told["scope"].split("+"))}
        return told


class Version(Declared):
    """One version of the table, in force from a day (UTC) on."""

    version: Annotated[str, Field(min_length=1, max_length=60)]
    effective_from: date
    longest_grant_days: Annotated[int, Field(ge=1, le=366)]
    base: RoleName | None = None
    """The role of everybody who holds any other, but service accounts (S1-01)."""
    actions: dict[ActionName, Action]
    roles: dict[RoleName, dict[ActionName, Right]]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for role, rights in self.roles.items():
            if unknown := sorted(set(rights) - set(self.actions)):
                raise ValueError(f"{role} has rights to actions that are not declared: {', '.join(unknown)}")
            masks = [
                name for name, right in rights.items() if right.fields != "full" and self.actions[name].kind != "read"
            ]
            if masks:
                raise ValueError(f"{role} cannot write what is hidden from it: {', '.join(masks)}")
        if self.base is not None and self.base not in self.roles:
            raise ValueError(f"the base role {self.base} is not among the roles")
        if writes := sorted(name for name in self.roles.get(AUDITOR, {}) if self.actions[name].kind != "read"):
            raise ValueError(f"an auditor never writes: {', '.join(writes)}")
        return self

    def rights(self, roles: frozenset[str], action: str) -> list[Right]:
        """What these roles give together."""
        known = {role for role in roles if role in self.roles}
        if self.base is not None and known and SYSTEM not in known:
            known.add(self.base)
        held = [self.roles[role] for role in sorted(known)]
        return [rights[action] for rights in held if action in rights]

    def grantable(self, action: str) -> bool:
        """Whether any role can be granted this action for a time."""
        return any(action in rights and "granted" in rights[action].scope for rights in self.roles.values())


class Roles(Declared):
    """The policy with all its versions."""

    policy: Literal["roles"]
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_day_twice(self) -> Self:
        if len({one.effective_from for one in self.versions}) != len(self.versions):
            raise ValueError("two versions take effect on the same day")
        if len({one.version for one in self.versions}) != len(self.versions):
            raise ValueError("two versions have the same name")
        return self

    def in_force(self, day: date) -> Version:
        """The version in force on a day; before the first the first, since somebody must be able to work."""
        begun = [one for one in self.versions if one.effective_from <= day]
        if begun:
            return max(begun, key=lambda one: one.effective_from)
        return min(self.versions, key=lambda one: one.effective_from)


def more(one: Fields, other: Fields) -> Fields:
    """Of two masks the one that shows more."""
    order = get_args(Fields)
    return one if order.index(one) >= order.index(other) else other
