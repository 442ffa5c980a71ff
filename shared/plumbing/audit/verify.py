"""Checking a service's audit: was a line edited, removed, moved or cut off, in the journal or among the readings."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shared.plumbing.audit.chains import GENESIS, AuditKeys, journal_content, line_content
from shared.plumbing.audit.checkpoints import read_checkpoints
from shared.plumbing.audit.trail import LINES
from shared.plumbing.database import Database

MOST_TRIED = 40
"""Changed lines of one chain among which a move is looked for; beyond that they are called edited."""
Kind = Literal["edited", "removed", "moved", "cut off", "slipped in", "checkpoint"]
Marks = Mapping[str, Mapping[int, bytes]]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written, and where."""

    kind: Kind
    where: str


@dataclass
class Report:
    """What was checked, and every finding; without one all is as it was written."""

    lines: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: Kind, where: str) -> None:
        self.findings.append(Finding(kind, where))


@dataclass(frozen=True)
class _Wrong:
    """A line whose hash does not follow from the line before it."""

    where: str
    seq: int
    before: bytes
    mac: bytes
    content: Mapping[str, Any]


async def verify(database: Database, keys: AuditKeys, folder: Path | None) -> Report:
    """Check everything against the keys and the checkpoints in `folder`; the service may run beside it.

    Raises database errors.
    """
    report = Report()
    # Read first: what is written while we look may only be more than they tell.
    marks = {} if folder is None else _marks(report, folder, keys)
    ends: dict[str, int] = {}
    for collection, content in (("journal", journal_content), (LINES, line_content)):
        unlinked = await database[collection].count_documents({"link": None})
        if unlinked:
            report.find("slipped in", f"{unlinked} documents of {collection} that no chain holds")
        cursor = database[collection].find({"link": {"$ne": None}}, {"private": 0})
        reading: _Reading | None = None
        async for document in cursor.sort([("link.chain", 1), ("link.seq", 1)]).allow_disk_use(True):
            name = document["link"]["chain"]
            if reading is None or reading.name != name:
                if reading is not None:
                    ends[reading.name] = reading.end()
                reading = _Reading(report, keys, name, marks.get(name, {}))
            reading.take(f"{collection} {document['_id']}", document["link"], content(document))
        if reading is not None:
            ends[reading.name] = reading.end()
    for name, told in marks.items():
        if max(told) > ends.get(name, 0):
            report.find("cut off", f"chain {name} after {ends.get(name, 0)}, told by a checkpoint")
    return report


def _marks(report: Report, folder: Path, keys: AuditKeys) -> Marks:
    """Chain → number → hash, as checkpoints tell."""
    marks: dict[str, dict[int, bytes]] = defaultdict(dict)
    for where, content in read_checkpoints(folder, keys):
        report.checkpoints += 1
        if content is None:
            report.find("checkpoint", where)
            continue
        for name, (seq, mac) in content["chains"].items():
            marks[name][seq] = bytes.fromhex(mac)
    return marks


class _Reading:
    """One chain, line by line in the order of their numbers."""

    def __init__(self, report: Report, keys: AuditKeys, name: str, marks: Mapping[int, bytes]) -> None:
        self._report = report
        self._keys = keys
        self.name = name
        self._marks = marks
        self._seq, self._mac = 0, GENESIS
        self._wrong: list[_Wrong] = []

    def take(self, where: str, link: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        """The next line."""
        self._report.lines += 1
        seq, mac = link["seq"], bytes(link["mac"])
        if seq <= self._seq:
            self._report.find("slipped in", f"{where}, a second line {seq} of chain {self.name}")
            return
        if seq > self._seq + 1:
            self._report.find("removed", f"chain {self.name}, lines {self._seq + 1} to {seq - 1}, before {where}")
        elif self._keys.mac(self._mac, self.name, seq, content) != mac:
            self._wrong.append(_Wrong(where, seq, self._mac, mac, content))
        if self._marks.get(seq, mac) != mac:
            self._report.find("edited", f"{where}, told by a checkpoint")
        self._seq, self._mac = seq, mac

    def end(self) -> int:
        """Judge the lines that do not follow; answers how far the chain goes."""
        known = [hash_ for one in self._wrong[:MOST_TRIED] for hash_ in (one.before, one.mac)]
        places = [one.seq for one in self._wrong[:MOST_TRIED]]
        for one in self._wrong:
            fits = {
                place
                for place in places
                for before in known
                if self._keys.mac(before, self.name, place, one.content) == one.mac
            }
            if one.seq not in fits:  # else only its neighbour is not the one it was
                self._report.find("moved" if fits else "edited", one.where)
        return self._seq
