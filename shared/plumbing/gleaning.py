"""Gleaning: what came while one batch was taken is added to the next.

aiokafka asks the broker again as soon as records are handed over, and then leaves it alone until what that brought is
handed over too. So behind a batch lies what had come when it began; all that came since would wait for one batch more.
Another look, which the broker answers at once when it has something, lets a record wait for the batch under way alone.
"""

import time
from collections.abc import Sequence
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from shared.plumbing.telemetry import logger

AT_ONCE_S = 0.005
"""What is handed over so soon behind a batch lay there before; what comes later was waited for and stands alone."""
LOOK_MS = 10
"""The broker is given so long, although it usually needs less than two."""

Records: TypeAlias = "Sequence[ConsumerRecord[bytes | None, bytes | None]]"
log = logger("listening")


class Gleaner:
    """Completes the batches of one consumer, up to `most` records."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rested_at = float("-inf")

    def rest(self) -> None:
        """To be told when a batch is done with."""
        self._rested_at = time.monotonic()

    async def completed(self, records: Records, consumer: AIOKafkaConsumer) -> Records:
        """These and what stands behind them by now, each partition in order."""
        if len(records) >= self._most or time.monotonic() - self._rested_at > AT_ONCE_S:
            return records
        try:
            found = await consumer.getmany(timeout_ms=LOOK_MS, max_records=self._most - len(records))
        except Exception as error:  # raising here would lose what is in hand
            log.warning("cannot look for more", error=f"{type(error).__name__}: {error}", exc_info=True)
            return records
        reached = {(one.topic, one.partition): one.offset for one in records}
        later: list[ConsumerRecord[bytes | None, bytes | None]] = []
        for place, of_place in found.items():
            # Were partitions shared out meanwhile, one may begin again among what is in hand already.
            last = reached.get((place.topic, place.partition), -1)
            later += [one for one in of_place if one.offset > last]
        return [*records, *later]
