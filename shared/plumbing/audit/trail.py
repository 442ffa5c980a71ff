"""The audit of one process: what was done is linked in the journal, what was read or denied has lines of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from shared.plumbing.audit.chains import AuditKeys, Chains
from shared.plumbing.clock import Clock
from shared.plumbing.database import MAJORITY, Database, Document
from shared.plumbing.settings import Settings

LINES = "audit"


class NeverRewound(Exception):
    """Lines of their own are written outside any transaction: after a failure nobody knows which of them are there."""


class _Batch:
    """Lines that are written together, and the writing that everybody who added some waits for."""

    def __init__(self, write: Callable[["_Batch"], Coroutine[Any, Any, None]]) -> None:
        self.lines: list[Document] = []
        self.written = asyncio.create_task(write(self))
        # A request may end before it waits for its lines; the next one to be written fails in its own name.
        self.written.add_done_callback(lambda task: task.cancelled() or task.exception())


class Audit:
    """Appends to the chains of this process."""

    def __init__(self, database: Database, clock: Clock, keys: AuditKeys) -> None:
        self.database = database
        self.clock = clock
        self.keys = keys
        self.journal = Chains(keys)
        self.lines = Chains(keys)
        self._gathering: _Batch | None = None
        self._writing = asyncio.Lock()

    @property
    def heads(self) -> dict[str, tuple[int, bytes]]:
        """Where every chain of this process stands, for the next checkpoint."""
        return {**self.journal.heads, **self.lines.heads}

    async def prepare(self) -> None:
        """Indexes of the search by object, actor and time; safe to repeat."""
        for first in ("objects", "actor"):
            await self.database[LINES].create_index([(first, 1), ("at", -1)])
        await self.database[LINES].create_index("at")

    async def append(self, lines: Sequence[dict[str, Any]]) -> None:
        """Returns when the lines are kept. What comes while others are being written is written together.

        Raises database errors; then nobody may act as if it had been audited.
        """
        if lines:
            await asyncio.shield(self.begin(lines))

    def begin(self, lines: Sequence[dict[str, Any]]) -> asyncio.Task[None]:
        """Have the lines written while the caller does something else; they are kept once what is answered is done.

        It is shared with others, so it must not be cancelled; whoever awaits it gets database errors.
        """
        batch = self._gathering
        if batch is None:
            batch = self._gathering = _Batch(self._write)
        now = self.clock.now()
        batch.lines += [{"at": now, **line} for line in lines]
        return batch.written

    async def _write(self, batch: _Batch) -> None:
        async with self._writing:
            self._gathering = None
            with self.lines.one(rewind=NeverRewound) as chain:
                linked = []
                for line in batch.lines:
                    link = chain.link(line)
                    linked.append({"_id": f"{chain.name}:{link['seq']}", **line, "link": link})
                await self.database[LINES].with_options(write_concern=MAJORITY).insert_many(linked)


def open_audit(settings: Settings, database: Database, clock: Clock, service: str) -> Audit:
    """The audit of this process."""
    key = bytes.fromhex(settings.keys.installation_key.get_secret_value())
    return Audit(database, clock, AuditKeys(key, service))
