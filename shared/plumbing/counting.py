"""What is counted and how, and the first steps of a batch: read each record, find the pages it touches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.plumbing.cells import Cuts
from shared.plumbing.projection import Heard, Projection
from shared.plumbing.reading import Letter, Reader, Unreadable
from shared.plumbing.store import Page

UNPROJECTED = "guards"
"""Where guards of subjects stand that no projection keeps facts of."""


@dataclass(frozen=True)
class Counter:
    """What is counted, and how: the projections, the declared cuts, the installation's zone."""

    reader: Reader
    projections: tuple[Projection, ...]
    cuts: Cuts
    zone: ZoneInfo

    @cached_property
    def by_kind(self) -> Mapping[str, Projection]:
        """Each subject kind's projection."""
        return {projection.kind: projection for projection in self.projections}

    def page_key(self, heard: Heard) -> tuple[str, str]:
        """Shelf and key of the subject's page; kinds without projection share one shelf."""
        projection = self.by_kind.get(heard.kind)
        if projection is not None:
            return projection.name, heard.subject
        return UNPROJECTED, f"{heard.kind}/{heard.subject}"


class Handed(NamedTuple):
    """One record of the batch, read or not."""

    record: Letter
    heard: Heard | None
    unreadable: str | None = None


def read_all(counter: Counter, records: Sequence[Letter]) -> list[Handed]:
    """Read each record alone; poison becomes a reason."""
    read = counter.reader.read
    handed = []
    for record in records:
        try:
            handed.append(Handed(record, read(record.key, record.value)))
        except Unreadable as why:
            handed.append(Handed(record, None, str(why)))
    return handed


def wanted(counter: Counter, handed: Sequence[Handed]) -> dict[str, set[str]]:
    """Pages the plan needs, by shelf."""
    keys: dict[str, set[str]] = {}
    for item in handed:
        if item.heard is not None:
            shelf, subject = counter.page_key(item.heard)
            keys.setdefault(shelf, set()).add(subject)
    return keys


def first_heard(counter: Counter, handed: Sequence[Handed]) -> dict[str, set[str]]:
    """Subjects whose first event is among them, by shelf: hardly any of them has a page already."""
    keys: dict[str, set[str]] = {}
    for item in handed:
        if item.heard is not None and item.heard.revision == 1:
            shelf, subject = counter.page_key(item.heard)
            keys.setdefault(shelf, set()).add(subject)
    return keys


def waiting(pages: Mapping[str, Mapping[str, Page]]) -> dict[str, set[str]]:
    """Subjects among these pages that have parked records."""
    keys: dict[str, set[str]] = {}
    for shelf, found in pages.items():
        for subject, page in found.items():
            if page.parked:
                keys.setdefault(shelf, set()).add(subject)
    return keys
