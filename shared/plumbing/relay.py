"""From the journal to Kafka: in order per subject, at least once, acknowledged before it is remembered.

The relay follows inserts into `journal` and `quarantine` by change stream from a stored resume token. One instance is
active per service, by a lease; the token is stored only while the lease's fence is still its own, so a relay that
slept through its lease can repeat events (harmless, consumers drop them by revision) but never skip any.
Without a usable token it opens the stream first and then rescans from the last acknowledged time minus ten minutes.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from shared.plumbing.clock import Clock
from shared.plumbing.crashing import point
from shared.plumbing.database import Client, Database, Document
from shared.plumbing.journal import DECIDED_WITHIN
from shared.plumbing.journal_stream import TOLD, JournalStream, StreamEnded
from shared.plumbing.lease import Lease, LeaseLost
from shared.plumbing.publishing import Publisher, producing
from shared.plumbing.telemetry import logger

LONGEST_PAUSE_S = 1.0
"""Between two attempts: no more is added to an outage."""
RESCAN_MARGIN = timedelta(minutes=10)
WATERMARK_MARGIN = DECIDED_WITHIN + timedelta(seconds=90 + 30)
"""Nothing older can still appear. What was decided longer than DECIDED_WITHIN before the end of its writes is never
committed, and no transaction is older than 90 s: MongoDB ends those that have lived for 60 and looks for them every 30.
The clocks of a service's processes and of its database may be 30 s apart.
"""
WATERMARK_EVERY_S = 5.0
RESCAN_PAGE = 2_000
STORE_EVERY_S = 0.1

log = logger("relay")


class Relay:
    """Publishes one service's journal (and the coordinates of its quarantine)."""

    def __init__(
        self,
        client: Client,
        database: Database,
        clock: Clock,
        *,
        kafka: str,
        events_topic: str | None,
        dead_letters_topic: str,
        watermarks_topic: str,
        service: str,
        instance: str | None = None,
    ) -> None:
        """`events_topic` None: the service says nothing, only its quarantine is announced.

        `instance` is a name that no other process of the service has and that this one keeps over restarts, if any.
        """
        self._client = client
        self._database = database
        self._clock = clock
        self._kafka = kafka
        self._events_topic = events_topic
        self._dead_letters_topic = dead_letters_topic
        self._watermarks_topic = watermarks_topic
        self._service = service
        self._lease = Lease(database, clock, instance)
        self._marked = 0.0
        self._in_hand = 1
        self._moved = time.monotonic()
        self.active = False
        self.failing: str | None = None

    async def run(self) -> None:
        """Relay until cancelled; every trouble is retried with backoff."""
        pause = 0.2
        while True:
            try:
                if await self._lease.claim():
                    self._in_hand = 1
                    self._moved = time.monotonic()
                    self.active = True
                    await self._relay()
                self.failing = None
                await asyncio.sleep(1.0)
            except LeaseLost:
                log.warning("another instance relays now")
            except (PyMongoError, KafkaError, OSError) as error:
                self.failing = f"{type(error).__name__}: {error}"
                log.warning("relay interrupted, will retry", error=self.failing)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            finally:
                self.active = False
            pause = 0.2

    async def release(self) -> None:
        """Give the lease up, so that a successor need not wait for it to run out."""
        await self._lease.release()

    @property
    def backlog(self) -> int:
        """Records of the journal known to wait for Kafka; 0 when the stream last came back empty, or not active."""
        return self._in_hand if self.active else 0

    def silent_for(self) -> float:
        """Seconds since an active relay last sent or saw that nothing waits; 0 while another one is active."""
        return time.monotonic() - self._moved if self.active else 0.0

    async def _renew(self) -> None:
        self._moved = time.monotonic()
        await self._lease.renew()

    async def _state(self) -> Document:
        return await self._database["relay"].find_one({"_id": "relay"}) or {}

    async def _relay(self) -> None:
        async with self._producer() as producer, self._client.start_session() as session:
            publisher = Publisher(
                producer,
                events_topic=self._events_topic,
                dead_letters_topic=self._dead_letters_topic,
                watermarks_topic=self._watermarks_topic,
                service=self._service,
            )
            state = await self._state()
            token = state.get("token")
            # Where others are written by the thousand, looking through them for ours costs mongod a tenth more.
            followed = ["quarantine"] if self._events_topic is None else ["journal", "quarantine"]
            try:
                stream = JournalStream(self._database, session, followed, token)
                await stream.open()
            except OperationFailure as error:
                if token is None:
                    raise
                # Out of the oplog, of another server, or damaged: the codes are many, and a scan is right for all.
                log.warning("resume token lost, scanning the journal", code=error.code)
                token = None
                stream = JournalStream(self._database, session, followed, None)
                await stream.open()
            if token is None:
                await self._let_commit()
                await self._rescan(publisher, state.get("acknowledged"))
                await self._store(stream.token, None)
            self.failing = None
            loop, stored_at = asyncio.get_running_loop(), 0.0
            acknowledged: datetime | None = None
            while True:
                await self._renew()
                asked_at = self._clock.now()
                try:
                    documents = await stream.next_batch()
                except StreamEnded:
                    log.warning("the database was put back, scanning the journal")
                    await self._store(None, None)
                    return
                if documents:
                    self._in_hand = len(documents)
                    point("relay.send")
                    await self._send(publisher, documents)
                    acknowledged = _earliest(documents)
                # What comes quickly does not wait for each batch to be remembered; after a kill so much is sent again.
                if acknowledged is not None and (not documents or loop.time() - stored_at >= STORE_EVERY_S):
                    point("relay.store")
                    await self._store(stream.token, acknowledged)
                    point("relay.stored")
                    acknowledged, stored_at = None, loop.time()
                if not documents:
                    self._in_hand = 0
                    # A clock of ours that is ahead, perhaps by days, must not promise what others will still record.
                    await self._mark(publisher, min(asked_at, stream.read_at))

    @contextlib.asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        async with producing(self._kafka) as producer:
            yield producer

    async def _send(self, publisher: Publisher, documents: Sequence[Document]) -> None:
        await publisher.send(documents)

    async def _let_commit(self) -> None:
        """Wait until all that was written before the stream was opened is majority-committed.

        The stream begins behind the last write, a snapshot ends with the last committed one: what was written but not
        committed at that moment would be in neither. A majority write is acknowledged only behind all before it.
        """
        await self._database["leases"].update_one({"_id": "relay"}, {"$inc": {"scans": 1}})

    async def _rescan(self, publisher: Publisher, since: datetime | None) -> None:
        """Publish again what may have been missed, in the order of each subject's revisions."""
        recent: Document = {} if since is None else {"recorded": {"$gte": since - RESCAN_MARGIN}}
        last: Document | None = None
        while True:
            page = await self._page(recent, last)
            await self._send(publisher, [{"collection": "journal", "record": record} for record in page])
            await self._renew()
            if len(page) < RESCAN_PAGE:
                break
            last = page[-1]
        late: Document = {} if since is None else {"received": {"$gte": since - RESCAN_MARGIN}}
        letters: list[Document] | None = None
        while letters is None or len(letters) == RESCAN_PAGE:
            behind = {"_id": {"$gt": letters[-1]["_id"]}} if letters else {}
            found = self._database["quarantine"].find({**late, **behind}, dict.fromkeys(TOLD, 1)).sort([("_id", 1)])
            letters = await found.limit(RESCAN_PAGE).to_list()
            await self._send(publisher, [{"collection": "quarantine", "record": letter} for letter in letters])
            await self._renew()

    async def _page(self, recent: Document, last: Document | None) -> list[Document]:
        """The next records behind `last`, as of one moment: a plain scan may see revision n + 1 and have missed n."""
        query = dict(recent)
        if last is not None:
            later = {"subject": last["subject"], "revision": {"$gt": last["revision"]}}
            query["$or"] = [later, {"subject": {"$gt": last["subject"]}}]
        order = [("subject", 1), ("revision", 1)]
        async with self._client.start_session(snapshot=True) as session:
            found = self._database["journal"].find(query, {"private": 0}, session=session).sort(order)
            return await found.limit(RESCAN_PAGE).to_list()

    async def _store(self, token: Any, acknowledged: datetime | None) -> None:
        """Remember how far Kafka has acknowledged. Raises LeaseLost when a later owner already stored."""
        fields: Document = {"token": token, "fence": self._lease.fence}
        if acknowledged is not None:
            fields["acknowledged"] = acknowledged
        try:
            await self._database["relay"].update_one(
                {"_id": "relay", "$or": [{"fence": {"$lte": self._lease.fence}}, {"fence": {"$exists": False}}]},
                {"$set": fields},
                upsert=True,
            )
        except DuplicateKeyError as error:
            raise LeaseLost from error

    async def _mark(self, publisher: Publisher, seen_at: datetime) -> None:
        """Say how far every partition is recorded: at `seen_at` the stream was empty, older commits cannot come."""
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._marked < WATERMARK_EVERY_S:
            return
        self._marked = loop_time
        await publisher.mark(seen_at - WATERMARK_MARGIN)


def _earliest(documents: Sequence[Document]) -> datetime:
    """No later than the recording of what comes behind these in commit order, give or take the margin of a rescan.

    The recording times alone would not do: those of a subject never run backwards, so once a clock was ahead they are.
    """
    committed: datetime = documents[-1]["committed"].as_datetime()
    recorded = [document["record"]["recorded"] for document in documents if "recorded" in document["record"]]
    return min(committed, *recorded) if recorded else committed
