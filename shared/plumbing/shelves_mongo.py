"""Reading what a batch committer stored, frozen at one moment: cells, facts as of a day, pages with their changes."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import TopicPartition

from shared.plumbing.cells import values_from
from shared.plumbing.database import Client, Collection, Database, Document, Session
from shared.plumbing.generations import Generations
from shared.plumbing.projection import Fact
from shared.plumbing.store import Cell, CellsWanted, Change, Cursor, Page
from shared.plumbing.store_documents import change_of, changes_between, collection_name, cursors_from, cut_name, page_of
from shared.plumbing.undo import undone

FACTS_AT_ONCE = 1_000
CELLS_AT_ONCE = 10_000
"""In one reply, as far as its 16 MiB reach."""


class MongoShelves:
    """Opens moments on one projection set; a moment is good for five minutes (MongoDB's snapshot history)."""

    def __init__(self, client: Client, database: Database, *, name: str) -> None:
        self._client = client
        self._database = database
        self._generations = Generations(database, name)

    @asynccontextmanager
    async def moment(self) -> AsyncIterator["MongoMoment"]:
        async with self._client.start_session(snapshot=True) as session:
            live = (await self._generations.standing(session)).live
            yield MongoMoment(self._database, session, self._generations.prefix(live))


class MongoMoment:
    """All reads through one snapshot."""

    def __init__(self, database: Database, session: Session, name: str) -> None:
        self._database = database
        self._session = session
        self._name = name

    def _of(self, part: str) -> Collection:
        return self._database[collection_name(self._name, part)]

    async def cursors(self) -> dict[TopicPartition, Cursor]:
        return await cursors_from(self._of("cursors"), self._session)

    async def set_aside(self) -> dict[str, int]:
        letters = await self._by_topic(self._database["quarantine"], {"open": True}, "$_id")
        return dict(letters + await self._by_topic(self._of("parked"), {}, "$place"))

    async def _by_topic(self, kept: Collection, which: Document, place: str) -> Counter[str]:
        """How many of these documents there are, by the topic of their `place`."""
        topic = {"$first": {"$split": [place, "/"]}}
        pipeline: list[Document] = [{"$match": which}, {"$group": {"_id": topic, "count": {"$sum": 1}}}]
        found = await kept.aggregate(pipeline, session=self._session)
        return Counter({group["_id"]: group["count"] async for group in found})

    async def cells(self, wanted: CellsWanted, as_of: str | None) -> list[tuple[Cell, int]]:
        before = [f"{wanted.projection}|{','.join(cut)}|" for cut in wanted.cuts]
        # `}` comes right after the separator `|`, so this is every key of the months asked for.
        live = [(f"{one}{wanted.first}|", f"{one}{wanted.last}}}") for one in before]
        found = [(cell, 1) for cell in await self._standing("cells", live, wanted, 2)]
        if as_of is not None:
            month = as_of[:7]
            later = [(f"{one}{as_of}}}", f"{one}{month}}}") for one in before]
            later += [(f"{one}M{month}}}", f"{one}M}}") for one in before]
            found += [(cell, -1) for cell in await self._standing("dated", later, wanted, 3)]
        return found + [(cell, 1) for cell in await self._on_slips(wanted, as_of)]

    async def _standing(self, part: str, ranges: list[tuple[str, str]], wanted: CellsWanted, named: int) -> list[Cell]:
        """What lies in these ranges of keys, in one round trip where it fits one reply.

        `named` is the place in a key of the month or year that it is about (see live_key and dated_keys).
        """
        within = [{"_id": {"$gte": first, "$lt": beyond}} for first, beyond in ranges]
        fields = {f"{wanted.family}.{level}": 1 for level in _levels(wanted)}
        found = self._of(part).find({"$or": within}, fields, session=self._session).batch_size(CELLS_AT_ONCE)
        cells = []
        for document in await found.to_list():
            key = document["_id"].split("|", named + 2)
            cell = _cell(key[1], key[named], key[-1], document.get(wanted.family), wanted)
            if cell is not None:
                cells.append(cell)
        return cells

    async def _on_slips(self, wanted: CellsWanted, as_of: str | None) -> list[Cell]:
        """What stands on slips, as recorded by the end of the day."""
        parts = [f"added.{wanted.projection}.{cut_name(cut)}" for cut in wanted.cuts]
        fields = {f"{part}.{name}": 1 for part in parts for name in ("day", "month", "values")}
        fields |= {f"{part}.sums.{wanted.family}.{level}": 1 for part in parts for level in _levels(wanted)}
        cells = []
        for document in await self._of("slips").find({}, fields, session=self._session).to_list():
            cuts = document.get("added", {}).get(wanted.projection, {})
            for cut in wanted.cuts:
                for item in cuts.get(cut_name(cut), ()):
                    sums = item["sums"].get(wanted.family) if as_of is None or item["day"] <= as_of else None
                    cell = _cell(",".join(cut), item["month"], item["values"], sums, wanted)
                    if cell is not None:
                        cells.append(cell)
        return cells

    async def facts(self, projection: str, after: str, as_of: str | None) -> AsyncIterator[tuple[str, Fact]]:
        known: Document = {"_id": {"$gt": after}, "born": {"$ne": None}}
        if as_of is not None:
            known["born"] = {"$lte": as_of, "$ne": None}
        chunk: list[Document] = []
        found = self._of(f"facts.{projection}").find(known, {"fact": 1, "day": 1}, session=self._session)
        async for document in found.sort("_id", 1).batch_size(FACTS_AT_ONCE):
            chunk.append(document)
            if len(chunk) == FACTS_AT_ONCE:
                for fact in await self._as_of(projection, chunk, as_of):
                    yield fact
                chunk = []
        for fact in await self._as_of(projection, chunk, as_of):
            yield fact

    async def _as_of(self, projection: str, chunk: list[Document], as_of: str | None) -> list[tuple[str, Fact]]:
        facts = {document["_id"]: document["fact"] for document in chunk}
        if as_of is not None and any(document["day"] > as_of for document in chunk):
            later = changes_between(projection, chunk[0]["_id"], chunk[-1]["_id"]) | {"day": {"$gt": as_of}}
            async for document in self._of("changes").find(later, session=self._session).sort("_id", -1):
                change = change_of(document)
                if change.subject in facts:
                    facts[change.subject] = undone(facts[change.subject], change.undo)
        return list(facts.items())

    async def touched(
        self, projection: str, after: str, since: str, until: str | None
    ) -> AsyncIterator[tuple[Page, Sequence[Change]]]:
        born: Document = {"$ne": None} if until is None else {"$ne": None, "$lte": until}
        query: Document = {"_id": {"$gt": after}, "day": {"$gt": since}, "born": born}
        found = self._of(f"facts.{projection}").find(query, session=self._session).sort("_id", 1)
        chunk: list[Page] = []
        async for document in found.batch_size(FACTS_AT_ONCE):
            chunk.append(page_of(document))
            if len(chunk) == FACTS_AT_ONCE:
                for told in await self._with_changes(projection, chunk, since):
                    yield told
                chunk = []
        for told in await self._with_changes(projection, chunk, since):
            yield told

    async def _with_changes(
        self, projection: str, pages: list[Page], since: str
    ) -> list[tuple[Page, Sequence[Change]]]:
        changes: dict[str, list[Change]] = {page.subject: [] for page in pages}
        if pages:
            later = changes_between(projection, pages[0].subject, pages[-1].subject) | {"day": {"$gt": since}}
            async for document in self._of("changes").find(later, session=self._session).sort("_id", 1):
                change = change_of(document)
                if change.subject in changes:
                    changes[change.subject].append(change)
        return [(page, changes[page.subject]) for page in pages]

    async def page(self, projection: str, subject: str) -> tuple[Page, Sequence[Change]] | None:
        document = await self._of(f"facts.{projection}").find_one({"_id": subject}, session=self._session)
        if document is None:
            return None
        found = self._of("changes").find(changes_between(projection, subject, subject), session=self._session)
        return page_of(document), [change_of(change) async for change in found.sort("_id", 1)]


def _levels(wanted: CellsWanted) -> list[str]:
    """Fields below a family that are read."""
    return ["m", *(f"d.{day}" for day in wanted.days)]


def _cell(cut: str, period: str, values: str, sums: Document | None, wanted: CellsWanted) -> Cell | None:
    """A family's sums as far as they are wanted; None where there are none."""
    year = period[:4]
    if not sums or not wanted.first[:4] <= year <= wanted.last[:4]:
        return None
    return Cell(
        tuple(cut.split(",")) if cut else (),
        values_from(values),
        {f"{year}-{month}": amounts for month, amounts in sums.get("m", {}).items()},
        {f"{year}-{day[:2]}-{day[2:]}": amounts for day, amounts in sums.get("d", {}).items()},
    )
