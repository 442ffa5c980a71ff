"""A small subject for models of counting: a tally that events add to, and what plain Python makes of the same records.

The fold is not idempotent on purpose: an event that is folded twice shows.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from shared.contracts.envelope import Event
from shared.plumbing.cells import Cuts
from shared.plumbing.counting import Counter
from shared.plumbing.listening import Record
from shared.plumbing.projection import Entry, Fact, Family, Heard, Point
from shared.plumbing.reading import Reader

ZONE = ZoneInfo("Asia/Shanghai")
Cell = tuple[str, str, str]
"""(colour, or empty for the total; day; name of the sum)."""


class Added(Event):
    TYPE: ClassVar[str] = "test.tally.added.v1"
    SUBJECT: ClassVar[str] = "tally"
    amount: int
    colour: str


class Amounts:
    """How many tallies there are on their latest day, and their sum."""

    name = "amounts"
    rows = None

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return [({"colour": fact["colour"]}, fact)]

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        return [("n", whole["day"], 1), ("sum", whole["day"], whole["sum"])]


class Tallies:
    """Adds up; day and colour are those of the latest event."""

    name = "tallies"
    kind = Added.SUBJECT
    hears: frozenset[type[Event]] = frozenset({Added})
    families: Sequence[Family] = (Amounts(),)

    def fold(self, fact: Fact | None, heard: Heard) -> Fact:
        said = heard.said
        assert isinstance(said, Added)
        before = 0 if fact is None else fact["sum"]
        return {"sum": before + said.amount, "colour": said.colour, "day": heard.day(heard.time)}


COUNTER = Counter(Reader([Added], [Tallies()], ZONE), (Tallies(),), Cuts.of(["colour"], crossed=[], pairs=[]), ZONE)


@dataclass
class Tally:
    """One subject as plain Python sees it."""

    revision: int = 0
    event: str = ""
    recorded: str = ""
    fact: dict[str, Any] | None = None
    waiting: dict[int, dict[str, Any]] = field(default_factory=dict)
    past: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Recorded day and fact after each event."""

    def apply(self, told: dict[str, Any]) -> None:
        before = self.fact["sum"] if self.fact else 0
        day, recorded = told["time"][:10], told["recordedtime"][:10]
        self.fact = {"sum": before + told["data"]["amount"], "colour": told["data"]["colour"], "day": day}
        self.revision, self.event, self.recorded = told["revision"], told["id"], max(self.recorded, recorded)
        self.past.append((self.recorded, self.fact))


@dataclass
class Expected:
    """What a log's records amount to, one after another."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    quarantined: set[str] = field(default_factory=set)

    def hear(self, record: Record) -> None:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        try:
            told = json.loads(record.value or b"")
            subject = told["subject"]
        except (ValueError, TypeError):
            self.quarantined.add(place)
            return
        tally = self.tallies.setdefault(subject, Tally())
        revision = told["revision"]
        holder = tally.event if revision == tally.revision else tally.waiting.get(revision, {}).get("id")
        if holder is not None:
            if holder != told["id"]:
                self.quarantined.add(place)
        elif revision > tally.revision:
            tally.waiting[revision] = told
            while tally.revision + 1 in tally.waiting:
                tally.apply(tally.waiting.pop(tally.revision + 1))

    def facts(self, as_of: str | None = None) -> dict[str, dict[str, Any]]:
        """Each subject's fact as recorded by the end of a day."""
        found = {}
        for subject, tally in self.tallies.items():
            past = [fact for recorded, fact in tally.past if as_of is None or recorded <= as_of]
            if past:
                found[subject] = past[-1]
        return found

    def cells(self, as_of: str | None = None) -> dict[Cell, int]:
        """Every sum that is not zero."""
        sums: dict[Cell, int] = {}
        for fact in self.facts(as_of).values():
            for colour in ("", fact["colour"]):
                for name, amount in (("n", 1), ("sum", fact["sum"])):
                    cell = (colour, fact["day"], name)
                    sums[cell] = sums.get(cell, 0) + amount
        return {cell: amount for cell, amount in sums.items() if amount}

    def recorded_days(self) -> set[str]:
        """Every day on which something was recorded."""
        return {recorded for tally in self.tallies.values() for recorded, _ in tally.past}
