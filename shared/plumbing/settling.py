"""What all who take records in batches into a ledger do alike: settle a batch whole or in halves."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shared.plumbing.journal import Stale

Item = TypeVar("Item")
ATTEMPTS = 4


async def settle(items: Sequence[Item], attempt: Callable[[Sequence[Item]], Awaitable[None]]) -> None:
    """Take all in one transaction; after ATTEMPTS lost races in halves, so that one record cannot hold up many.

    Raises Stale when a single record lost every race, and whatever else `attempt` raises.
    """
    for _ in range(ATTEMPTS):
        try:
            await attempt(items)
        except Stale:
            continue
        else:
            return
    if len(items) <= 1:
        raise Stale("a record could not be committed for being overtaken every time; it is tried again later")
    middle = len(items) // 2
    overtaken: Stale | None = None
    for half in (items[:middle], items[middle:]):
        try:
            await settle(half, attempt)
        except Stale as error:  # the other half is taken all the same
            overtaken = error
    if overtaken is not None:
        raise overtaken
