"""The moving parts of a service process: subscriptions, relay, chores and what health says of them.

Order of a start: database and indexes, then HTTP; Kafka is joined in the background and rejoined after an outage, so
that HTTP never waits for it. A stop drains: no new batch, the one in hand finishes, the lease is given up.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from typing import Any

from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from pymongo.errors import PyMongoError

from shared.contracts.decision import Refusal
from shared.plumbing.app import Service
from shared.plumbing.asyncapi import describe
from shared.plumbing.audit.checkpoints import Checkpoints
from shared.plumbing.keyring import keys_database
from shared.plumbing.logs import LogBroken
from shared.plumbing.quarantine import open_letters
from shared.plumbing.restoring import refuse_half_restored
from shared.plumbing.subscribing import listen
from shared.plumbing.telemetry import SET_ASIDE, logger
from shared.plumbing.undisturbed import undisturbed
from shared.plumbing.watchdog import look_every, watch_hearing, watch_relay

VERSION = "0.1.0"
GAUGE_EVERY_S = 5.0
MOST_SHOWN = 20
"""Parked and early records that health names one by one."""
CHECKPOINT_EVERY_S = 10.0
LOOK_AT_TOPICS_EVERY_S = 30.0
LAG_WITHIN_S = 3.0
"""The client would wait for a broker that is away; health answers without its number instead."""
log = logger("app")


async def repeat(seconds: float, chore: Callable[[], Awaitable[object]]) -> None:
    """Run a chore for ever, with so much time between two runs.

    What others can mend ends nothing: an outage, or a rule that refuses, such as for a limit that is not set yet.
    Whatever else the chore raises is raised: then the process is no use.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            await chore()
        except (PyMongoError, KafkaError, OSError) as error:
            log.warning("chore failed, will run again", error=f"{type(error).__name__}: {error}")
        except Refusal as refusal:
            log.warning("chore refused, will ask again", reason=str(refusal))


class Running:
    """The moving parts of a started service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.broker = KafkaBroker(
            service.settings.kafka,
            client_id=f"manyi-{service.name}",
            allow_auto_create_topics=False,
            logger=None,
            graceful_timeout=15,
        )
        for hearing in service.hearings:
            listen(
                self.broker,
                hearing,
                group_prefix=service.settings.topic_prefix,
                batch_records=service.settings.batch_records,
                batch_wait_ms=service.settings.batch_wait_ms,
                instance=service.settings.instance,
            )
        self.listening = not service.hearings
        folder = service.settings.checkpoints
        self.checkpoints = None if service.audit is None or folder is None else Checkpoints(service.audit, folder)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await refuse_half_restored(self.service.database)
        await refuse_half_restored(self.service.client[keys_database(self.service.settings)])
        for prepare in self.service.prepare:
            await prepare()
        self._spawn(self._join_kafka())
        for seconds, chore in self.service.chores:
            self._spawn(repeat(seconds, chore))
        stuck_after_s = self.service.settings.stuck_after_s
        for hearing in self.service.hearings:
            self._spawn(repeat(look_every(stuck_after_s), partial(watch_hearing, hearing, stuck_after_s)))
        if self.service.relay is not None:
            watch = partial(watch_relay, self.service.relay, self.service.client, stuck_after_s)
            self._spawn(repeat(look_every(stuck_after_s), watch))
        self._spawn(repeat(GAUGE_EVERY_S, self._gauge))
        if self.checkpoints is not None:
            self._spawn(repeat(CHECKPOINT_EVERY_S, self.checkpoints.write))

    async def stop(self) -> None:
        for hearing in self.service.hearings:
            hearing.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.broker.stop()
        if self.checkpoints is not None:
            with contextlib.suppress(OSError):
                await self.checkpoints.write()
        if self.service.relay is not None:
            with contextlib.suppress(PyMongoError):
                await self.service.relay.release()
        await self.service.client.close()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A background task never ends by itself: if one does, the process is no use and says so by exiting."""
        if task.cancelled() or task.exception() is None:
            return
        if isinstance(task.exception(), LogBroken):
            log.critical("refuses to go on", error=str(task.exception()))
            print(f"error: {task.exception()}", file=sys.stderr, flush=True)  # for who started us, as a sentence
            os._exit(os.EX_CONFIG)  # starting again does not help before somebody has done something
        log.critical("background task failed, exiting", exc_info=task.exception())
        os._exit(70)

    async def _join_kafka(self) -> None:
        """Speak and listen, once Kafka answers and its topics are what they were. Raises LogBroken."""
        await self._topics_stand()
        if self.service.relay is not None:
            self._spawn(self.service.relay.run())
        while not self.listening:
            try:
                await undisturbed(self.broker.start())
                self.listening = True
            except (KafkaError, OSError) as error:
                log.warning("Kafka cannot be joined yet", error=f"{type(error).__name__}: {error}")
                await self.broker.stop()
                await asyncio.sleep(1.0)

    async def _topics_stand(self) -> None:
        standing = self.service.standing
        while standing is not None:
            try:
                await standing.check()
            except (PyMongoError, KafkaError, OSError) as error:
                log.warning("the topics cannot be looked at yet", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(1.0)
            else:
                self._spawn(repeat(LOOK_AT_TOPICS_EVERY_S, standing.look))
                return

    async def _gauge(self) -> None:
        for state, count in (await self.set_aside()).items():
            SET_ASIDE.labels(state).set(count)

    async def checks(self) -> dict[str, str]:
        """What readiness depends on: name → `ok` or what is wrong."""
        found: dict[str, str] = {}
        try:
            await self.service.client.admin.command("ping")
            found["mongo"] = "ok"
        except PyMongoError as error:
            found["mongo"] = f"{type(error).__name__}"
        found["kafka"] = "ok" if self.listening else "not joined yet"
        for hearing in self.service.hearings:
            found[hearing.group] = hearing.failing or "ok"
            if hearing.silent_for() > self.service.settings.stuck_after_s / 2:
                found[hearing.group] = "records wait, none is taken"
        if self.service.relay is not None and self.service.relay.failing is not None:
            found["relay"] = self.service.relay.failing
        return found

    async def set_aside(self) -> dict[str, int]:
        """Records that are in no number yet: dead letters, parked (a revision is missing), early ones."""
        database = self.service.database
        return {
            "dead_letters": await open_letters(database),
            "parked": await self.service.parked() if self.service.parked else 0,
            "early": await database["early"].estimated_document_count(),
        }

    async def health(self) -> dict[str, Any]:
        """The numbers `manyi status` adds up."""
        lag: dict[str, int | None] = {}
        for hearing in self.service.hearings:
            try:
                async with asyncio.timeout(LAG_WITHIN_S):
                    lag[hearing.group] = await hearing.lag() if self.listening else None
            except (KafkaError, OSError):
                lag[hearing.group] = None
        if self.service.relay is not None:
            lag["relay"] = self.service.relay.backlog
        return {
            "service": self.service.name,
            "version": VERSION,
            "ready": all(state == "ok" for state in (await self.checks()).values()),
            "lag": lag,
            **await self.set_aside(),
            "waiting": await self.service.waiting(MOST_SHOWN) if self.service.waiting else [],
        }

    @cached_property
    def asyncapi(self) -> dict[str, Any]:
        """AsyncAPI 3.0 document of every event this service says and every type it takes in; seconds of work, once."""
        service = self.service
        return describe(service.name, VERSION, service.settings.topic_prefix, service.hears_types)
