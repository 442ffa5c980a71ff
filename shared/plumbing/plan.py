"""What one batch of records makes of what is known: a pure function from records and pages to writes.

The order of rules for a subject: behind its guard → seen already, dropped; same revision with another id → a fork,
quarantined; beyond the next revision → parked until the missing one arrives; else folded, and after it whatever was
parked behind it. A record that cannot be read or folded is quarantined and leaves the guard where it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import TopicPartition

from shared.plumbing.contributions import Contributions
from shared.plumbing.counting import Counter, Handed
from shared.plumbing.projection import Fact, Heard, Projection, Unfit, local_day
from shared.plumbing.reading import Letter, Unreadable
from shared.plumbing.slips import Added
from shared.plumbing.store import Change, First, Kept, Page, Parked, Quarantined, Writes
from shared.plumbing.undo import undo


@dataclass
class Outcome:
    """Writes without those to cells, what is added to cells, and what to tell the operator."""

    writes: Writes
    added: Added = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    """Records by topic."""
    forks: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    recorded: dict[TopicPartition, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """A page being worked on."""

    page: Page
    projection: Projection | None
    shelf: str
    stored: bool
    original: Fact | None
    touched: bool = False
    steps: list[tuple[str, Fact]] = field(default_factory=list)
    """Last fact of each day of recording, in order."""


class Plan:
    """Works through one batch. `pages` and `parked` are what the store holds; they are not changed."""

    def __init__(
        self,
        counter: Counter,
        pages: Mapping[str, Mapping[str, Page]],
        parked: Mapping[tuple[str, str, int], Parked],
        now: datetime,
    ) -> None:
        self._counter = counter
        self._pages = pages
        self._stored_parked = parked
        self._parked: dict[tuple[str, str, int], Parked] = dict(parked)
        self._now = now
        self._open: dict[tuple[str, str], _Open] = {}
        self._contributions: dict[str, Contributions] = {}
        self.outcome = Outcome(Writes())

    def work(self, handed: Sequence[Handed]) -> Outcome:
        """The writes of the batch."""
        counted = self.outcome.counted
        for item in handed:
            record = item.record
            counted[record.topic] = counted.get(record.topic, 0) + 1
            if item.heard is None:
                self._quarantine(record, item.unreadable or "unreadable")
            else:
                self._hear(record, item.heard)
                self.outcome.recorded[TopicPartition(record.topic, record.partition)] = item.heard.recorded
        self._finish()
        return self.outcome

    def _hear(self, record: Letter, heard: Heard) -> None:
        opened = self._opened(record, heard)
        page = opened.page
        if heard.revision <= page.revision:
            if heard.revision == page.revision and heard.id != page.event:
                self._fork(record, heard)
        elif heard.revision > page.revision + 1:
            self._park(record, heard, opened)
        elif self._apply(record, heard, opened):
            self._unpark(opened)

    def _opened(self, record: Letter, heard: Heard) -> _Open:
        shelf, subject = self._counter.page_key(heard)
        opened = self._open.get((shelf, subject))
        if opened is None:
            page = self._pages.get(shelf, {}).get(subject)
            stored = page is not None
            if page is None:
                page = Page(subject)
            else:
                page = Page(
                    page.subject,
                    page.revision,
                    page.event,
                    page.day,
                    page.born,
                    page.fact,
                    list(page.parked),
                    page.first,
                )
            opened = self._open[shelf, subject] = _Open(
                page,
                self._counter.by_kind.get(heard.kind),
                shelf,
                stored,
                page.fact,
            )
        return opened

    def _apply(self, record: Letter, heard: Heard, opened: _Open) -> bool:
        page, projection = opened.page, opened.projection
        try:
            # A subject's recording times never run backwards; should they, as-of numbers must still agree.
            day = max(page.day, local_day(heard.recorded, self._counter.zone))
            fact = page.fact
            if projection is not None and heard.said is not None:
                fact = projection.fold(page.fact, heard)
        except Unfit as why:
            self._quarantine(record, str(why))
            return False
        if fact is not page.fact and fact is not None and projection is not None:
            if page.fact is None:
                page.born, page.first = day, First(heard.revision, heard.id, heard.type)
            else:
                patch = undo(page.fact, fact)
                if patch:
                    self.outcome.writes.changes.append(
                        Change(projection.name, page.subject, heard.revision, heard.id, heard.type, day, patch)
                    )
            page.fact = fact
            if opened.steps and opened.steps[-1][0] == day:
                opened.steps[-1] = (day, fact)
            else:
                opened.steps.append((day, fact))
        page.revision, page.event, page.day = heard.revision, heard.id, day
        opened.touched = True
        return True

    def _park(self, record: Letter, heard: Heard, opened: _Open) -> None:
        key = (opened.shelf, opened.page.subject, heard.revision)
        known = self._parked.get(key)
        if known is not None:
            if known.event != heard.id:
                self._fork(record, heard)
            return
        parked = Parked(
            opened.shelf,
            opened.page.subject,
            heard.revision,
            heard.id,
            Kept(record.topic, record.partition, record.offset, record.key, record.value),
            self._now,
        )
        self._parked[key] = parked
        self.outcome.writes.park.append(parked)
        self.outcome.gaps.append(f"{opened.shelf}/{opened.page.subject} waits for {opened.page.revision + 1}")
        opened.page.parked.append(heard.revision)
        opened.page.parked.sort()
        opened.touched = True

    def _unpark(self, opened: _Open) -> None:
        """Apply what waited for the revision just reached."""
        page = opened.page
        while page.parked and page.parked[0] <= page.revision + 1:
            revision = page.parked.pop(0)
            key = (opened.shelf, page.subject, revision)
            parked = self._parked.pop(key)
            if key in self._stored_parked:
                self.outcome.writes.unpark.append(key)
            else:
                self.outcome.writes.park.remove(parked)
            record = parked.letter
            try:
                heard = self._counter.reader.read(record.key, record.value)
            except Unreadable as why:
                self._quarantine(record, str(why))
                continue
            if heard.revision == page.revision + 1:
                self._apply(record, heard, opened)
            elif heard.id != page.event:
                self._fork(record, heard)

    def _fork(self, record: Letter, heard: Heard) -> None:
        self._quarantine(record, "another event has this revision of the subject already (fork)")
        self.outcome.forks.append(f"{heard.kind}/{heard.subject} revision {heard.revision}")

    def _quarantine(self, record: Letter, reason: str) -> None:
        self.outcome.writes.quarantine.append(
            Quarantined(
                Kept(record.topic, record.partition, record.offset, record.key, record.value), reason, self._now
            )
        )

    def _finish(self) -> None:
        writes = self.outcome.writes
        for opened in self._open.values():
            if not opened.touched:
                continue
            (writes.changed if opened.stored else writes.new).setdefault(opened.shelf, []).append(opened.page)
            if opened.projection is not None and opened.steps:
                self._count(opened.projection, opened)
        for projection, contributions in self._contributions.items():
            for day, cells in contributions.cells().items():
                self.outcome.added[projection, day] = cells

    def _count(self, projection: Projection, opened: _Open) -> None:
        """Add the difference of each recorded day to its cells."""
        added = self._contributions.get(projection.name)
        if added is None:
            added = self._contributions[projection.name] = Contributions(self._counter.cuts)
        before = opened.original
        for day, fact in opened.steps:
            if before is not None:
                added.add(projection.families, before, day, -1)
            added.add(projection.families, fact, day, 1)
            before = fact
