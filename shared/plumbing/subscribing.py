"""How a hearing is subscribed: by a FastStream batch subscriber that hands over raw records (ARCHITECTURE §6)."""

from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from shared.plumbing.gleaning import Gleaner
from shared.plumbing.listening import FETCH_WAIT_MS, Hearing

SESSION_MS = 30_000
"""A member that is silent for so long is given up, also when nobody else joins the group."""
REJOIN_WITHIN_MS = 5_000
"""In a rebalance every living member has joined again within this time; its heartbeat tells it once a second."""


async def _keep_raw(records: Any) -> KafkaAckableMessage:
    """FastStream parser: carry the raw records untouched; their consumer is found on the subscriber."""
    return KafkaAckableMessage(body=b"", headers={}, raw_message=records, consumer=None)


async def _hand_over_raw(message: KafkaAckableMessage) -> Any:
    return message.raw_message


def listen(
    broker: KafkaBroker,
    hearing: Hearing,
    *,
    group_prefix: str,
    batch_records: int | None,
    batch_wait_ms: int,
    instance: str | None = None,
    max_poll_interval_ms: int = 24 * 3600 * 1000,
) -> None:
    """Subscribe `hearing` on the broker.

    `batch_records`, where it is said, takes the place of the hearing's own portion.
    `instance` is a name that no other process of the service has and that this one keeps over restarts: a process that
    was killed takes its partitions up again at once instead of being waited for until its session runs out (KIP-345).
    `max_poll_interval_ms` is far above any batch, since a spare member past it can be locked out for ever
    (aio-libs/aiokafka#1187); a stuck process is found by the watchdog instead. A member that was killed takes part in
    no rebalance, so its successor waits for REJOIN_WITHIN_MS, not for the end of its session.
    """
    most = batch_records or hearing.portion.records
    subscriber = broker.subscriber(
        *hearing.topics,
        batch=True,
        group_id=f"{group_prefix}{hearing.group}",
        group_instance_id=instance,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        max_records=most,
        batch_timeout_ms=batch_wait_ms,
        fetch_max_wait_ms=max(FETCH_WAIT_MS, batch_wait_ms),
        max_partition_fetch_bytes=hearing.portion.fetch_bytes,
        session_timeout_ms=SESSION_MS,
        rebalance_timeout_ms=REJOIN_WITHIN_MS,
        heartbeat_interval_ms=1_000,
        max_poll_interval_ms=max_poll_interval_ms,
        partition_assignment_strategy=(RangePartitionAssignor,),
        listener=hearing,
        title=hearing.group,
    )

    gleaner = Gleaner(most)

    async def hear(records: Any) -> None:
        consumer = subscriber.consumer
        if consumer is not None:
            await hearing.hear(await gleaner.completed(records, consumer), consumer)
            gleaner.rest()

    hearing.attach(lambda: subscriber.consumer, joins_twice=instance is not None)
    subscriber(hear, parser=_keep_raw, decoder=_hand_over_raw)
