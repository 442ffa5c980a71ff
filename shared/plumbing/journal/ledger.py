"""State documents and journal of one service: load, decide, commit."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pymongo import DeleteOne, ReplaceOne

from shared.contracts.decision import Scene
from shared.contracts.state import Part
from shared.plumbing.abandoned import Abandoned
from shared.plumbing.audit.chains import Chains, journal_content
from shared.plumbing.clock import Clock
from shared.plumbing.database import Client, Database, Document, Session
from shared.plumbing.hiding import Hidden, Opened, close, open_documents
from shared.plumbing.journal.documents import head_of, part_of, tags_of, writes_of
from shared.plumbing.journal.drafts import Draft
from shared.plumbing.journal.loading import load
from shared.plumbing.journal.saying import note
from shared.plumbing.journal.tasks import Aggregate, Cause, Loaded, S, Task
from shared.plumbing.journal.transaction import Stale, in_transaction
from shared.plumbing.keyring import Keyring

if TYPE_CHECKING:
    from shared.plumbing.grouping import Groups

UNSEALED = {"$unset": {"sealed": "", "person": "", "blind": ""}}
DECIDED_WITHIN = timedelta(seconds=60)
"""What was decided longer ago is not committed: how far everything is recorded has perhaps been told beyond it."""
WITH_PAYLOADS = ("early", "quarantine", "answers")
"""Collections beside states and journal that keep what was sent or answered, sealed."""


class Ledger:
    """State documents and journal of one service."""

    def __init__(self, client: Client, database: Database, keyring: Keyring, clock: Clock, service: str) -> None:
        self.client = client
        self.database = database
        self.keyring = keyring
        self.clock = clock
        self.source = f"manyi/{service}"
        self._abandoned = Abandoned(client)
        self.chains: Chains | None = None
        """Where every event of a commit gets its place in the audit."""
        self.groups: Groups | None = None
        """Where this process's commands gather for their common transactions; made by the first of them."""

    async def prepare(self) -> None:
        """Create the collections and indexes of the journal; safe to repeat.

        Raises SystemExit when there are sealed journals, but no key at all.
        """
        await self.keyring.prepare()
        if await self.keyring.is_empty() and await self.database["journal"].find_one({"person": {"$exists": True}}):
            raise SystemExit(
                f"the database {self.database.name} holds personal data, but the database of its keys is empty: "
                "restore the keys (they are backed up apart from the data), then start again"
            )
        await self.database["journal"].create_index([("subject", 1), ("revision", 1)], unique=True)
        await self.database["journal"].create_index("recorded")
        await self.database["journal"].create_index(
            [("link.actor", 1), ("recorded", -1)], partialFilterExpression={"link.actor": {"$exists": True}}
        )

    async def load(self, draft: Draft, tasks: Sequence[Task[Any]]) -> None:
        """Read every state the tasks need into the draft: one `find` for each collection."""
        await load(self.database, self.keyring, draft, tasks)

    def decide(self, draft: Draft, task: Task[S], now: datetime, cause: Cause) -> Loaded[S]:
        """Run the rule on what the draft holds and note what it said.

        Raises whatever the rule raises (Refusal, TooEarly), and EventTooLarge; then nothing was noted.
        """
        place = (task.aggregate.collection, task.subject)
        if task.follow:
            place = draft.homes.get(place, place)
        loaded: Loaded[S] = draft.now[place]
        others = {identifier: draft.now[other.collection, identifier].state for other, identifier in task.others}
        said = task.decide(loaded.state, Scene(now, others, draft.numbers.get(place)))
        records: list[Document] = []
        hidden: list[Hidden] = []
        for sentence in said:
            loaded, record = note(self.source, task.aggregate, place[1], loaded, sentence, now, cause)
            records.append(record)
            if sentence.private:
                person, about = sentence.person or record["key"], f"journal/{record['_id']}"
                hidden.append(Hidden(record, "private", sentence.private, about, person, record["key"]))
        draft.journal.extend(records)
        draft.hidden.extend(hidden)
        if said and task.forgets is not None:
            draft.forgotten.append(task)
        draft.now[place] = loaded
        return loaded

    async def commit(self, draft: Draft) -> None:
        """Write the draft in one majority-committed transaction.

        Raises Stale when another writer was first (nothing was written then), ConnectionFailure when the database
        cannot be reached, OutcomeUnknown when it cannot be told whether the commit landed.
        """
        if self.chains is None or not draft.journal:
            await self._commit(draft)
            return
        with self.chains.one(rewind=Stale) as chain:
            for record in draft.journal:
                right = record.get("link", {})
                record["link"] = {**right, **chain.link(journal_content(record))}
            await self._commit(draft)

    async def _commit(self, draft: Draft) -> None:
        hidden = list(draft.hidden)
        writes = writes_of(self.keyring.blind, draft, hidden)
        if not writes:
            return
        gone = {task.forgets for task in draft.forgotten}
        made = await close(self.keyring, [one for one in hidden if one.person is None or one.person not in gone])

        async def body(session: Session) -> None:
            if made:
                await self.keyring.add(made, session)
            for task in draft.forgotten:
                await self._forget(task, min(record["recorded"] for record in draft.journal), session)
            for collection, operations in writes:
                deletes = sum(isinstance(operation, DeleteOne) for operation in operations)
                replaces = sum(isinstance(operation, ReplaceOne) for operation in operations)
                result = await self.database[collection].bulk_write(operations, ordered=False, session=session)
                if result.deleted_count != deletes or (replaces and result.matched_count != replaces):
                    raise Stale
            # Asked while the transaction is open, since from then on its own lifetime is what bounds a pause.
            if any(record["recorded"] < self.clock.now() - DECIDED_WITHIN for record in draft.journal):
                raise Stale

        try:
            await in_transaction(self.client, body)
        except Stale:
            await self._abandoned.end()
            raise
        finally:
            if draft.forgotten:
                self.keyring.forget()

    async def _forget(self, task: Task[Any], at: datetime, session: Session) -> None:
        persons = await self.keyring.destroy(str(task.forgets), at, session)
        for collection in WITH_PAYLOADS:
            # Answers tell of a whole subject: those about the one around a person go with the person.
            whose = [*persons, task.person] if collection == "answers" else persons
            await self.database[collection].delete_many({"person": {"$in": whose}}, session=session)
        for collection, _ in task.aggregate.state.PARTS.values():
            mine = {"owner": task.subject, "person": {"$in": persons}}
            await self.database[collection].update_many(mine, UNSEALED, session=session)

    def tags(self, marks: Iterable[tuple[str, str]]) -> list[bytes]:
        """What stands for these marks in a stored head."""
        return tags_of(self.keyring.blind, marks)

    async def open(self, documents: Iterable[tuple[str, Document]]) -> Opened:
        """What is sealed in documents (with their collections) found by a view's query: one look for all their keys."""
        return await open_documents(self.keyring, documents)

    async def read_heads(self, aggregate: Aggregate[S], documents: Sequence[Document]) -> list[Loaded[S]]:
        """States (without their parts) from documents found by a view's query."""
        opened = await self.open([(aggregate.collection, document) for document in documents])
        return [head_of(aggregate, document, opened) for document in documents]

    async def read_head(self, aggregate: Aggregate[S], document: Document) -> Loaded[S]:
        """A state (without its parts) from a document found by a view's query."""
        return (await self.read_heads(aggregate, [document]))[0]

    async def read_parts(self, aggregate: Aggregate[Any], name: str, documents: Sequence[Document]) -> list[Part]:
        """Parts from documents found by a view's query."""
        collection, _ = aggregate.state.PARTS[name]
        opened = await self.open([(collection, document) for document in documents])
        return [part_of(aggregate, name, document, opened) for document in documents]
