"""Teams and their members as data (S0-13 project groups, S0-16 the three core groups). Pure; reads no file."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.policy.permission.table import Declared

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Team(Declared):
    """A group of people by their subject ids; `duties` are tags by which work is routed to it."""

    team: Name
    names: dict[str, str] = {}
    duties: frozenset[Name] = frozenset()
    members: frozenset[Name] = frozenset()


class Organisation(Declared):
    """All teams. Somebody may be in several; who is in none has no team-mates."""

    teams: tuple[Team, ...] = ()

    @model_validator(mode="after")
    def _no_team_twice(self) -> Self:
        if len({one.team for one in self.teams}) != len(self.teams):
            raise ValueError("a team is declared twice")
        return self

    def members(self, teams: frozenset[str]) -> frozenset[str]:
        """Everybody in any of these teams."""
        return frozenset().union(*(one.members for one in self.teams if one.team in teams))

    def teams_of(self, person: str) -> frozenset[str]:
        """The teams that somebody is a member of."""
        return frozenset(one.team for one in self.teams if person in one.members)

    def on_duty(self, duty: str) -> tuple[str, ...]:
        """The teams that have this duty."""
        return tuple(one.team for one in self.teams if duty in one.duties)
