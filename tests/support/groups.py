"""Which member of a consumer group holds which partitions, as the broker knows it."""

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment


async def shares(kafka: str, group: str) -> dict[str, set[TopicPartition]]:
    """Member → its partitions; empty while the group is being rebalanced.

    A member with a lasting name is called by the first part of its id, which Kafka makes of the name and a UUID.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()
    (described,) = answer.to_object()["groups"]
    if described["state"] != "Stable":
        return {}
    return {
        member["member_id"][: -len("-00000000-0000-0000-0000-000000000000")]: set(
            ConsumerProtocolMemberAssignment.decode(member["member_assignment"]).partitions()
        )
        for member in described["members"]
    }
