"""What is inserted into `journal` and `quarantine`, as a change stream tells it.

Raw commands are used, since they hand over whole batches and the token after an empty one.
"""

from datetime import UTC, datetime
from typing import Any

from shared.plumbing.database import Database, Document, Session

STREAM_WAIT_MS = 200
TOLD = ("_id", "key", "event", "recorded", "received", "reason")
"""The fields of a journal record and of a letter that are told, or by which it is known how far one has come."""


class StreamEnded(Exception):
    """The database was dropped, as when a backup is put in its place: no token from before leads beyond that."""


class JournalStream:
    """A change stream over one or both of these collections, batch by batch; over one it is that collection's own."""

    def __init__(self, database: Database, session: Session, collections: list[str], token: Any) -> None:
        self._database = database
        self._session = session
        self._collections = collections
        self._of: str | int = collections[0] if len(collections) == 1 else 1
        self._cursor = 0
        self._first: list[Document] = []
        self.token = token
        self.read_at = datetime.fromtimestamp(0, UTC)
        """When the database was asked for more for the last time, by its own clock."""

    async def open(self) -> None:
        """Raises OperationFailure when the token cannot be resumed from."""
        options: Document = {} if self.token is None else {"resumeAfter": self.token}
        inserts = {
            "operationType": "insert",
            "ns.coll": {"$in": self._collections},
        }
        pipeline = [
            {"$changeStream": options},
            {"$match": inserts},
            {"$project": {"ns": 1, "clusterTime": 1, **{f"fullDocument.{name}": 1 for name in TOLD}}},
        ]
        reply = await self._database.command(
            "aggregate",
            self._of,
            pipeline=pipeline,
            cursor={"batchSize": 1_000},
            session=self._session,
            codec_options=self._database.codec_options,
        )
        self._cursor = reply["cursor"]["id"]
        self._first = reply["cursor"]["firstBatch"]
        self.token = reply["cursor"].get("postBatchResumeToken", self.token)

    async def next_batch(self) -> list[Document]:
        """Inserted documents in commit order, `token` then being behind them; empty after STREAM_WAIT_MS of silence.

        Raises StreamEnded behind the last batch of a database that was dropped.
        """
        if self._first:
            changes, self._first = self._first, []
        elif self._cursor == 0:
            raise StreamEnded
        else:
            reply = await self._database.command(
                "getMore",
                self._cursor,
                collection=self._of if isinstance(self._of, str) else "$cmd.aggregate",
                batchSize=1_000,
                maxTimeMS=STREAM_WAIT_MS,
                session=self._session,
                codec_options=self._database.codec_options,
            )
            self._cursor = reply["cursor"]["id"]
            changes = reply["cursor"]["nextBatch"]
            self.token = reply["cursor"].get("postBatchResumeToken", self.token)
            self.read_at = reply["operationTime"].as_datetime()
        return [
            {
                "collection": change["ns"]["coll"],
                "record": change["fullDocument"],
                "committed": change["clusterTime"],
            }
            for change in changes
        ]
