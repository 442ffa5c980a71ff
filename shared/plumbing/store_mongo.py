"""The batch committer's memory on MongoDB: everything of one batch in one transaction.

Collections begin with the name of the projection set and its generation, so that a rebuild grows beside the live one;
`quarantine` is shared, since the relay announces it. A page is
`{_id: subject, revision, event, day, born, fact, parked, first}`.
Commands are written out for cells and cursors: they are many and small, and the driver's bulk objects cost more than
the sums they carry.
"""

from collections.abc import Collection as Some
from collections.abc import Iterator, Mapping

from aiokafka import TopicPartition
from pymongo import InsertOne, ReplaceOne, ReturnDocument
from pymongo.errors import BulkWriteError, CollectionInvalid, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from shared.contracts.envelope import moment_text
from shared.plumbing.cells import Sums
from shared.plumbing.crashing import point
from shared.plumbing.database import MAJORITY, SNAPSHOT, Client, Collection, Database, Document, Session
from shared.plumbing.generations import FIRST, Generations
from shared.plumbing.news import written
from shared.plumbing.quarantine import DeadLetter, setting_aside
from shared.plumbing.sealing import Seal
from shared.plumbing.slips import Slip
from shared.plumbing.store import (
    Cursor,
    CursorMoved,
    Interrupted,
    Kept,
    Move,
    NotNew,
    Page,
    Parked,
    Quarantined,
    Writes,
)
from shared.plumbing.store_documents import (
    cell_document,
    change_document,
    change_id,
    collection_name,
    cursor_of,
    cursors_from,
    page_document,
    page_of,
    place_name,
    place_named,
    place_names,
    slip_document,
    slip_of,
)

SUMS_AN_UPDATE = 20_000
"""In one update command: well below the 16 MiB that a command may have."""
SUMS_AN_INSERT = 200_000
MAJORITY_READ = ReadConcern("majority")
UNCERTAIN = ("TransientTransactionError", "UnknownTransactionCommitResult")


class MongoStore:
    """Store of one consumer process. The ids of the two sessions in which it commits and posts stand in the cursors."""

    def __init__(
        self, client: Client, database: Database, seal: Seal, *, name: str, owner: str, generation: int | None = None
    ) -> None:
        """`name` of the projection set, `owner` for the operator's eye.

        `generation` is the one a rebuild writes; None: whichever is live at each claim.
        """
        self._client = client
        self._database = database
        self._seal = seal
        self._generations = Generations(database, name)
        self._generation = generation
        self._name = self._generations.prefix(generation or FIRST)
        self._owner = owner
        self._committing: Session | None = None
        self._posting: Session | None = None
        self._claims = False

    async def prepare(self, shelves: Some[str]) -> None:
        """Create the collections, in which a transaction would fail; see that what stands there is of our format."""
        await self._generations.conform(self._generation)
        self._name = await self._standing_name()
        present = set(await self._database.list_collection_names())
        wanted = [
            collection_name(self._name, part) for part in ("cursors", "changes", "cells", "dated", "slips", "parked")
        ]
        wanted += [collection_name(self._name, f"facts.{shelf}") for shelf in shelves]
        for name in [*wanted, "quarantine", "generations"]:
            if name not in present:
                try:
                    await self._database.create_collection(name)
                except CollectionInvalid:  # another process of ours was faster
                    continue
                except OperationFailure as error:
                    if error.code != 48:  # NamespaceExists, the same
                        raise

    async def claim(self, places: Some[TopicPartition]) -> dict[TopicPartition, Cursor]:
        while True:
            if self._generation is None:
                self._name = self._generations.prefix((await self._generations.to_count()).live)
            claimed = await self._claim_all(places)
            self._claims = True
            if self._generation is not None:
                return claimed
            # A swap between the look and the claim would have left us in the former generation; a hold holds us, too.
            standing = await self._generations.standing()
            if not standing.held and self._generations.prefix(standing.live) == self._name:
                return claimed

    async def _claim_all(self, places: Some[TopicPartition]) -> dict[TopicPartition, Cursor]:
        self._committing = self._committing or self._client.start_session()
        self._posting = self._posting or self._client.start_session()
        ours = {"session": self._committing.session_id["id"], "posting": self._posting.session_id["id"]}
        cursors = self._of("cursors")
        known = [document async for document in cursors.find({"_id": {"$in": place_names(places)}})]
        # A worker killed inside a transaction would hold what it wrote until the transaction's lifetime runs out.
        former = {
            bytes(document[name]): document[name]
            for document in known
            for name in ours
            if document.get(name) not in (None, *ours.values())
        }
        if former:
            await self._client.admin.command({"killSessions": [{"id": session} for session in former.values()]})
        return {place: cursor_of(await self._claim_one(cursors, place, ours)) for place in places}

    async def _claim_one(self, cursors: Collection, place: TopicPartition, sessions: Document) -> Document:
        change = {
            "$inc": {"epoch": 1},
            "$set": {"owner": self._owner, **sessions},
            "$setOnInsert": {"next": 0, "recorded": None},
        }
        for _ in range(2):
            try:
                document = await cursors.find_one_and_update(
                    {"_id": place_name(place)}, change, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:  # two first claims at once: the second finds what the first made
                continue
            if document is not None:
                return document
        raise Interrupted(f"{place_name(place)} could not be claimed")

    async def cursors(self) -> dict[TopicPartition, Cursor]:
        name = await self._standing_name()
        if not self._claims:  # whoever counts changes over when it claims, and not in the middle of a batch
            self._name = name
        return await cursors_from(self._of("cursors", name))

    async def pages(self, wanted: Mapping[str, Some[str]]) -> dict[str, dict[str, Page]]:
        pages = {}
        for shelf, subjects in wanted.items():
            found = self._of(f"facts.{shelf}").find({"_id": {"$in": list(subjects)}})
            pages[shelf] = {document["_id"]: page_of(document) for document in await found.to_list()}
        return pages

    async def parked(self, wanted: Mapping[str, Some[str]]) -> dict[tuple[str, str, int], Parked]:
        ranges = [
            {"_id": {"$gte": change_id(shelf, subject, 0), "$lte": change_id(shelf, subject, 2**62)}}
            for shelf, subjects in wanted.items()
            for subject in subjects
        ]
        found = [self._parked_of(document) async for document in self._of("parked").find({"$or": ranges})]
        return {(parked.shelf, parked.subject, parked.revision): parked for parked in found}

    async def slips(self, places: Some[TopicPartition]) -> dict[TopicPartition, list[Slip]]:
        found: dict[TopicPartition, list[Slip]] = {}
        async for document in self._of("slips").find({"shard": {"$in": place_names(places)}}):
            found.setdefault(place_named(document["shard"]), []).append(slip_of(document))
        return found

    async def commit(self, moves: Mapping[TopicPartition, Move], writes: Writes) -> None:
        session = self._committing = self._committing or self._client.start_session()
        try:
            async with await session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY):
                news = written(writes) if self._generation is None else None  # counted anew is no news
                await self._move(moves, news, session)
                point("committer.moved")
                await self._write(writes, session)
                point("committer.written")
        except (CursorMoved, NotNew):
            raise
        except BaseException as error:
            self._committing = None
            await session.end_session()
            if _is_uncertain(error):
                raise Interrupted(f"{type(error).__name__}: {error}") from error
            raise

    async def post(self, writes: Writes) -> None:
        name = self._name  # a claim beside it may change over to another generation, where these slips never stood
        session = self._posting = self._posting or self._client.start_session()
        try:
            async with await session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY):
                await self._post(name, writes, session)
                if writes.slip is not None:
                    await self._of("slips", name).insert_one(slip_document(writes.slip), session=session)
        except BaseException as error:
            self._posting = None
            await session.end_session()
            if _is_uncertain(error):
                raise Interrupted(f"{type(error).__name__}: {error}") from error
            raise

    async def close(self) -> None:
        """Give the sessions back; what is under way is aborted."""
        sessions, self._committing, self._posting = (self._committing, self._posting), None, None
        for session in sessions:
            if session is not None:
                await session.end_session()

    async def parked_records(self) -> int:
        """How many wait for a missing revision."""
        return await self._of("parked").estimated_document_count()

    async def gaps(self, most: int) -> list[Document]:
        """Subjects with a missing revision: those of the first `most` parked records, each with its first one."""
        found: dict[str, Document] = {}
        async for document in self._of("parked").find({}, {"received": 1}).sort("_id", 1).limit(most):
            key = document["_id"]
            gap = {
                "state": "parked",
                "type": self._name,
                "waits_for": f"{key['shelf']}/{key['subject']} before revision {key['revision']}",
                "since": moment_text(document["received"]),
            }
            found.setdefault(f"{key['shelf']}/{key['subject']}", gap)
        return list(found.values())

    async def _move(self, moves: Mapping[TopicPartition, Move], news: str | None, session: Session) -> None:
        updates: list[Document] = [
            {
                "q": {"_id": place_name(place), "epoch": move.was.epoch, "next": move.was.next},
                "u": {"$set": {"next": move.next, "recorded": move.recorded, "epoch": move.epoch}},
            }
            for place, move in moves.items()
        ]
        if news is not None:
            updates[0]["u"]["$set"]["news"] = news  # one of them tells it for the whole commit
        if await self._update(self._name, "cursors", updates, session) == len(moves):
            return
        standing = await cursors_from(self._of("cursors"))
        missed = [
            place
            for place, move in moves.items()
            if place not in standing or (standing[place].next, standing[place].epoch) != (move.was.next, move.was.epoch)
        ]
        # Should they agree again by now, nobody knows who moved: claim all anew.
        raise CursorMoved(missed or list(moves))

    async def _write(self, writes: Writes, session: Session) -> None:
        for shelf, pages in writes.new.items():
            try:
                await self._of(f"facts.{shelf}").insert_many([page_document(page) for page in pages], session=session)
            except BulkWriteError as error:
                if any(one["code"] == 11000 for one in error.details["writeErrors"]):
                    raise NotNew(f"facts of {shelf} that were taken for new stand already") from error
                raise
        for shelf, pages in writes.changed.items():
            replaced = await self._of(f"facts.{shelf}").bulk_write(
                [ReplaceOne({"_id": page.subject}, page_document(page)) for page in pages], session=session
            )
            if replaced.matched_count != len(pages):
                raise Interrupted(f"facts of {shelf} vanished while they were changed")
        if writes.changes:
            await self._of("changes").insert_many(
                [change_document(change) for change in writes.changes], session=session
            )
        await self._post(self._name, writes, session)
        if writes.slip is not None:
            await self._of("slips").insert_one(slip_document(writes.slip), session=session)
        if writes.park or writes.unpark:
            await self._of("parked").delete_many(
                {"_id": {"$in": [change_id(*key) for key in writes.unpark]}}, session=session
            )
        if writes.park:
            await self._of("parked").bulk_write(
                [InsertOne(self._parked(parked)) for parked in writes.park], session=session
            )
        if writes.quarantine:
            await self._database["quarantine"].bulk_write(
                [setting_aside(self._seal, self._dead_letter(letter)) for letter in writes.quarantine],
                session=session,
            )

    async def _post(self, name: str, writes: Writes, session: Session) -> None:
        if writes.posted:
            removed = await self._of("slips", name).delete_many(
                {"_id": {"$in": [slip.id for slip in writes.posted]}}, session=session
            )
            if removed.deleted_count != len(writes.posted):
                raise Interrupted("slips were posted by another")
        for part, cells in (("cells", writes.live), ("dated", writes.dated)):
            await self._add(name, part, cells, session)

    async def _add(self, name: str, part: str, cells: Mapping[str, Sums], session: Session) -> None:
        """Add to cells. One that is not there yet is inserted: its sums one by one would cost mongod ten times more.

        Should another insert it meanwhile, one transaction is aborted: no sum is lost, and none is written twice.
        """
        if not cells:
            return
        found = self._of(part, name).find({"_id": {"$in": list(cells)}}, {"_id": 1}, session=session)
        known = {document["_id"] for document in await found.to_list()}
        for documents in _portions(cells, cells.keys() - known, SUMS_AN_INSERT):
            await self._of(part, name).insert_many(
                [cell_document(key, cells[key]) for key in documents], session=session
            )
        for keys in _portions(cells, known, SUMS_AN_UPDATE):
            updates = [{"q": {"_id": key}, "u": {"$inc": cells[key]}} for key in keys]
            if await self._update(name, part, updates, session) != len(updates):
                raise Interrupted(f"{part} vanished while they were added to")

    async def _update(self, name: str, part: str, updates: list[Document], session: Session) -> int:
        """Run one update command; the number of documents matched or upserted. Raises PyMongoError, Interrupted."""
        reply = await self._database.command(
            "update", collection_name(name, part), updates=updates, ordered=True, session=session
        )
        if reply.get("writeErrors"):
            error = reply["writeErrors"][0]
            raise OperationFailure(error.get("errmsg", "a write failed"), error.get("code"), reply)
        return int(reply["n"])

    async def _standing_name(self) -> str:
        """What the collections begin with that are to be written by now."""
        return self._generations.prefix(self._generation or (await self._generations.standing()).live)

    def _of(self, part: str, name: str | None = None) -> Collection:
        return self._database.get_collection(collection_name(name or self._name, part), read_concern=MAJORITY_READ)

    def _parked(self, parked: Parked) -> Document:
        return {
            "_id": change_id(parked.shelf, parked.subject, parked.revision),
            "event": parked.event,
            "received": parked.received,
            **self._sealed(parked.letter),
        }

    def _parked_of(self, document: Document) -> Parked:
        key, place = document["_id"], document["place"]
        topic, partition, offset = place.rsplit("/", 2)
        letter = Kept(
            topic,
            int(partition),
            int(offset),
            self._seal.open_bytes(document["key"], place) if document["key"] is not None else None,
            self._seal.open_bytes(document["payload"], place) if document["payload"] is not None else None,
        )
        return Parked(key["shelf"], key["subject"], key["revision"], document["event"], letter, document["received"])

    def _dead_letter(self, quarantined: Quarantined) -> DeadLetter:
        kept, received = quarantined.letter, quarantined.received
        return DeadLetter(kept.place, self._name, quarantined.reason, received, received, kept.value, kept.key)

    def _sealed(self, letter: Kept) -> Document:
        """Events carry no personal data, but what cannot be read may be anything."""
        return {
            "place": letter.place,
            "key": self._seal.close(letter.key, letter.place) if letter.key is not None else None,
            "payload": self._seal.close(letter.value, letter.place) if letter.value is not None else None,
        }


def _portions(cells: Mapping[str, Sums], keys: Some[str], most: int) -> Iterator[list[str]]:
    """Keys of so many sums each; they ascend, so that any two commits take documents in one order."""
    portion: list[str] = []
    sums = 0
    for key in sorted(keys):
        portion.append(key)
        sums += len(cells[key])
        if sums >= most:
            yield portion
            portion, sums = [], 0
    if portion:
        yield portion


def _is_uncertain(error: BaseException) -> bool:
    """Whether a transaction was aborted for a reason that passes, or nobody knows whether it was."""
    return isinstance(error, PyMongoError) and any(error.has_error_label(label) for label in UNCERTAIN)
