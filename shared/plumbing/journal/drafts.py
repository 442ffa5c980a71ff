"""What one transaction is going to write."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from shared.plumbing.database import Document
from shared.plumbing.hiding import Hidden
from shared.plumbing.journal.tasks import Aggregate, Loaded, Task


class Draft:
    """What one transaction is going to write. Built in memory; decides nothing itself."""

    def __init__(self) -> None:
        self.read: dict[tuple[str, str], Loaded[Any]] = {}
        self.now: dict[tuple[str, str], Loaded[Any]] = {}
        self.aggregates: dict[str, Aggregate[Any]] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        self.homes: dict[tuple[str, str], tuple[str, str]] = {}
        self.journal: list[Document] = []
        self.extra: dict[str, list[Any]] = {}
        self.hidden: list[Hidden] = []
        self.forgotten: list[Task[Any]] = []

    def write(
        self, collection: str, operation: InsertOne[Document] | DeleteOne | UpdateOne | ReplaceOne[Document]
    ) -> None:
        """Another document of the same transaction. A delete or replacement that finds nothing makes it Stale."""
        self.extra.setdefault(collection, []).append(operation)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What is decided within is noted as a whole, or not at all."""
        now, journal, hidden, forgotten = dict(self.now), len(self.journal), len(self.hidden), len(self.forgotten)
        try:
            yield
        except BaseException:
            self.now = now
            del self.journal[journal:], self.hidden[hidden:], self.forgotten[forgotten:]
            raise

    def hide(
        self, document: Document, content: Mapping[str, Any] | bytes, place: str, person: str | None = None
    ) -> None:
        """Have `content` sealed into `document["sealed"]` when it is committed, as personal data of `person`."""
        self.hidden.append(Hidden(document, "sealed", content, place, person, person))
