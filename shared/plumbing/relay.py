"""From the journal to Kafka: in order per subject, at least once, acknowledged before it is remembered.

The relay follows inserts into `journal` and `quarantine` by change stream from a stored resume token. One instance is
active per service, by a lease; the token is stored only while the lease's fence is still its own, so a relay that
slept through its lease can repeat events (harmless, consumers drop them by revision) but never skip any.
Without a usable token it opens the stream first and then rescans from the last acknowledged time minus ten minutes.
Raw commands are used for the change stream, since they hand over whole batches and the token after an empty one.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from shared.contracts.envelope import moment_text
from shared.plumbing.clock import Clock
from shared.plumbing.crashing import point
from shared.plumbing.database import Client, Database, Document, Session
from shared.plumbing.telemetry import RELAYED, logger
from shared.plumbing.undisturbed import undisturbed

LEASE = timedelta(seconds=10)
RENEW_EVERY_S = 3.0
LONGEST_PAUSE_S = 1.0
"""Between two attempts: no more is added to an outage."""
CLOCKS_APART = timedelta(minutes=1)
"""No more than this apart the clocks of two machines respect one another's leases."""
RESCAN_MARGIN = timedelta(minutes=10)
WATERMARK_MARGIN = timedelta(seconds=60)
"""No transaction lives longer than MongoDB's transactionLifetimeLimitSeconds, so nothing older can still appear."""
WATERMARK_EVERY_S = 5.0
STREAM_WAIT_MS = 200
RESCAN_PAGE = 2_000

log = logger("relay")


class LeaseLost(Exception):
    """Another instance is the active relay now."""


class StreamEnded(Exception):
    """The database was dropped, as when a backup is put in its place: no token from before leads beyond that."""


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
        self._owner = uuid.uuid4().hex
        self._instance = instance
        self._fence = 0
        self._renewed = 0.0
        self._marked = 0.0
        self._ends: dict[int, int] = {}
        self._in_hand = 1
        self._moved = time.monotonic()
        self.active = False
        self.failing: str | None = None

    async def run(self) -> None:
        """Relay until cancelled; every trouble is retried with backoff."""
        pause = 0.2
        while True:
            try:
                if await self._claim():
                    self._in_hand = 1
                    self._moved = time.monotonic()
                    self.active = True
                    await self._relay()
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
        await self._database["leases"].update_one(
            {"_id": "relay", "owner": self._owner}, {"$set": {"until": datetime.fromtimestamp(0, self._now().tzinfo)}}
        )

    @property
    def backlog(self) -> int:
        """Records of the journal known to wait for Kafka; 0 when the stream last came back empty, or not active."""
        return self._in_hand if self.active else 0

    def silent_for(self) -> float:
        """Seconds since an active relay last sent or saw that nothing waits; 0 while another one is active."""
        return time.monotonic() - self._moved if self.active else 0.0

    def _now(self) -> datetime:
        return self._clock.now()

    async def _claim(self) -> bool:
        """Take or renew the lease. The fence grows with every change of owner.

        A lease that ends later than one taken now could was taken by a clock that was ahead, perhaps by days, and holds
        up nobody: two relays for a moment do no harm. Nor does one that a former self holds, which was killed, since we
        run under its name; should it only have slept, the fence tells it, and it does not take its lease back.
        """
        now = self._now()
        over = [{"owner": self._owner}, {"until": {"$lt": now}}, {"until": {"$gt": now + LEASE + CLOCKS_APART}}]
        if self._instance is not None and not self._fence:
            over.append({"instance": self._instance})
        free = {"_id": "relay", "$or": over}
        holder = {"owner": self._owner, "instance": self._instance, "until": now + LEASE}
        change = {"$set": holder, "$inc": {"fence": 1}}
        try:
            lease = await self._database["leases"].find_one_and_update(
                free, change, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            return False
        if lease is None:
            return False
        self._fence = lease["fence"]
        self._ends.clear()  # others may have sent since
        self._renewed = asyncio.get_running_loop().time()
        return True

    async def _renew(self) -> None:
        self._moved = time.monotonic()
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._renewed < RENEW_EVERY_S:
            return
        result = await self._database["leases"].update_one(
            {"_id": "relay", "owner": self._owner, "fence": self._fence}, {"$set": {"until": self._now() + LEASE}}
        )
        if result.matched_count == 0:
            raise LeaseLost
        self._renewed = loop_time

    async def _state(self) -> Document:
        return await self._database["relay"].find_one({"_id": "relay"}) or {}

    async def _relay(self) -> None:
        async with self._producer() as producer, self._client.start_session() as session:
            state = await self._state()
            token = state.get("token")
            try:
                stream = _Stream(self._database, session, token)
                await stream.open()
            except OperationFailure as error:
                if token is None:
                    raise
                # Out of the oplog, of another server, or damaged: the codes are many, and a scan is right for all.
                log.warning("resume token lost, scanning the journal", code=error.code)
                token = None
                stream = _Stream(self._database, session, None)
                await stream.open()
            if token is None:
                await self._let_commit()
                await self._rescan(producer, state.get("acknowledged"))
                await self._store(stream.token, None)
            self.failing = None
            while True:
                await self._renew()
                asked_at = self._now()
                try:
                    documents = await stream.next_batch()
                except StreamEnded:
                    log.warning("the database was put back, scanning the journal")
                    await self._store(None, None)
                    return
                self._in_hand = len(documents)
                if documents:
                    point("relay.send")
                await self._send(producer, documents)
                if documents:
                    point("relay.store")
                    await self._store(stream.token, _earliest(documents))
                    point("relay.stored")
                else:
                    await self._mark(producer, asked_at)

    @contextlib.asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            enable_idempotence=True,
            acks="all",
            linger_ms=2,
            max_batch_size=256 * 1024,
            compression_type="lz4",
            request_timeout_ms=30_000,
        )
        try:
            await undisturbed(producer.start())
            yield producer
        finally:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, documents: Sequence[Document]) -> None:
        """Send all, pipelined, and wait for every acknowledgement. Raises KafkaError when one is refused."""
        pending = []
        for document in documents:
            record = document["record"]
            if document["collection"] == "journal":
                if self._events_topic is None:
                    continue
                topic, key, value = self._events_topic, record["key"], record["event"].encode()
            else:
                topic, key, value = self._dead_letters_topic, record["_id"], self._dead_letter(record)
            pending.append(await producer.send(topic, value, key=key.encode()))
            point("relay.sent-one")
        for metadata in await asyncio.gather(*pending):
            if metadata.topic == self._events_topic:
                self._ends[metadata.partition] = metadata.offset + 1
            RELAYED.labels(metadata.topic).inc()

    def _dead_letter(self, record: Document) -> bytes:
        topic, _, rest = record["_id"].partition("/")
        partition, _, offset = rest.partition("/")
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": record["_id"],
                "source": f"manyi/{self._service}",
                "type": "manyi.record.quarantined.v1",
                "time": moment_text(record["received"]),
                "datacontenttype": "application/json",
                "data": {
                    "service": self._service,
                    "topic": topic,
                    "partition": partition,
                    "offset": offset,
                    "reason": record["reason"],
                },
            }
        )

    async def _let_commit(self) -> None:
        """Wait until all that was written before the stream was opened is majority-committed.

        The stream begins behind the last write, a snapshot ends with the last committed one: what was written but not
        committed at that moment would be in neither. A majority write is acknowledged only behind all before it.
        """
        await self._database["leases"].update_one({"_id": "relay"}, {"$inc": {"scans": 1}})

    async def _rescan(self, producer: AIOKafkaProducer, since: datetime | None) -> None:
        """Publish again what may have been missed, in the order of each subject's revisions."""
        recent: Document = {} if since is None else {"recorded": {"$gte": since - RESCAN_MARGIN}}
        last: Document | None = None
        while True:
            page = await self._page(recent, last)
            await self._send(producer, [{"collection": "journal", "record": record} for record in page])
            await self._renew()
            if len(page) < RESCAN_PAGE:
                break
            last = page[-1]
        quarantined = self._database["quarantine"].find(
            {} if since is None else {"received": {"$gte": since - RESCAN_MARGIN}}
        )
        await self._send(producer, [{"collection": "quarantine", "record": record} async for record in quarantined])

    async def _page(self, recent: Document, last: Document | None) -> list[Document]:
        """The next records behind `last`, as of one moment: a plain scan may see revision n + 1 and have missed n."""
        query = dict(recent)
        if last is not None:
            later = {"subject": last["subject"], "revision": {"$gt": last["revision"]}}
            query["$or"] = [later, {"subject": {"$gt": last["subject"]}}]
        order = [("subject", 1), ("revision", 1)]
        async with self._client.start_session(snapshot=True) as session:
            found = self._database["journal"].find(query, {"private": 0}, session=session).sort(order)
            return await found.limit(RESCAN_PAGE).to_list(RESCAN_PAGE)

    async def _store(self, token: Any, acknowledged: datetime | None) -> None:
        """Remember how far Kafka has acknowledged. Raises LeaseLost when a later owner already stored."""
        fields: Document = {"token": token, "fence": self._fence}
        if acknowledged is not None:
            fields["acknowledged"] = acknowledged
        try:
            await self._database["relay"].update_one(
                {"_id": "relay", "$or": [{"fence": {"$lte": self._fence}}, {"fence": {"$exists": False}}]},
                {"$set": fields},
                upsert=True,
            )
        except DuplicateKeyError as error:
            raise LeaseLost from error

    async def _mark(self, producer: AIOKafkaProducer, seen_at: datetime) -> None:
        """Say how far every partition is recorded: the stream was empty at `seen_at`, older commits cannot come."""
        loop_time = asyncio.get_running_loop().time()
        if self._events_topic is None or loop_time - self._marked < WATERMARK_EVERY_S:
            return
        self._marked = loop_time
        through = moment_text(seen_at - WATERMARK_MARGIN)
        pending = []
        for partition in await producer.partitions_for(self._events_topic):
            name = f"{self._events_topic}/{partition}"
            value = {
                "service": self._service,
                "topic": self._events_topic,
                "partition": partition,
                "recordedthrough": through,
                "offset": self._ends.get(partition),
            }
            pending.append(await producer.send(self._watermarks_topic, orjson.dumps(value), key=name.encode()))
        await asyncio.gather(*pending)


def _earliest(documents: Sequence[Document]) -> datetime:
    """No later than the recording of what comes behind these in commit order, give or take the margin of a rescan.

    The recording times alone would not do: those of a subject never run backwards, so once a clock was ahead they are.
    """
    committed: datetime = documents[-1]["committed"]
    recorded = [document["record"]["recorded"] for document in documents if "recorded" in document["record"]]
    return min(committed, *recorded) if recorded else committed


class _Stream:
    """A change stream over `journal` and `quarantine`, batch by batch."""

    def __init__(self, database: Database, session: Session, token: Any) -> None:
        self._database = database
        self._session = session
        self._cursor = 0
        self._first: list[Document] = []
        self.token = token

    async def open(self) -> None:
        """Raises OperationFailure with a code of TOKEN_LOST when the token cannot be resumed from."""
        options: Document = {} if self.token is None else {"resumeAfter": self.token}
        inserts = {
            "operationType": "insert",
            "ns.coll": {"$in": ["journal", "quarantine"]},
        }
        pipeline = [
            {"$changeStream": options},
            {"$match": inserts},
            {"$project": {"ns": 1, "fullDocument": 1, "clusterTime": 1}},
            {"$unset": ["fullDocument.private", "fullDocument.sealed"]},
        ]
        reply = await self._database.command(
            "aggregate",
            1,
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
                collection="$cmd.aggregate",
                batchSize=1_000,
                maxTimeMS=STREAM_WAIT_MS,
                session=self._session,
                codec_options=self._database.codec_options,
            )
            self._cursor = reply["cursor"]["id"]
            changes = reply["cursor"]["nextBatch"]
            self.token = reply["cursor"].get("postBatchResumeToken", self.token)
        return [
            {
                "collection": change["ns"]["coll"],
                "record": change["fullDocument"],
                "committed": change["clusterTime"].as_datetime(),
            }
            for change in changes
        ]
