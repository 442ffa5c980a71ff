"""One transaction: snapshot, majority and journal; a lost race and an unknown outcome are told apart."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from shared.plumbing.crashing import point
from shared.plumbing.database import MAJORITY, SNAPSHOT, Client, Session

COMMIT_PATIENCE_S = 30.0


class Stale(Exception):
    """Another writer was first, or the transaction was aborted: load again and decide again."""


class OutcomeUnknown(Exception):
    """The commit was sent, but whether it landed cannot be told: look again before doing anything."""


async def in_transaction(client: Client, body: Callable[[Session], Awaitable[None]]) -> None:
    """Run `body` in one snapshot transaction with majority and journal.

    Raises Stale for every lost race (nothing was written), OutcomeUnknown when the commit was sent and its answer did
    not come within COMMIT_PATIENCE_S, ConnectionFailure when the database could not be reached before that.
    """
    async with client.start_session() as session:
        await session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
        try:
            point("journal.write")
            await body(session)
            point("journal.written")
        except BaseException as error:
            await session.abort_transaction()
            if isinstance(error, OperationFailure) and _is_lost_race(error):
                raise Stale from error
            raise
        await _commit(session)
        point("journal.committed")


async def _commit(session: Session) -> None:
    """Repeat the commit while its outcome is unknown, as the driver specification allows."""
    deadline = time.monotonic() + COMMIT_PATIENCE_S
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult"):
                if time.monotonic() > deadline:
                    raise OutcomeUnknown from error
                await asyncio.sleep(0.1)
                continue
            if error.has_error_label("TransientTransactionError"):
                raise Stale from error
            raise
        else:
            return


def _is_lost_race(error: OperationFailure) -> bool:
    if isinstance(error, DuplicateKeyError) or error.has_error_label("TransientTransactionError"):
        return True
    details = error.details or {}
    return any(item.get("code") in (11000, 112) for item in details.get("writeErrors", []))
