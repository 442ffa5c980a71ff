"""A connection that the broker closed is trouble with the network to aiokafka, whichever loop it runs in."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.plumbing.closed_connections import tell_closed_connections
from tests.support.stack import RealStack

pytestmark = pytest.mark.stack


async def send_when_it_is_closed(kafka: str) -> None:
    host, port = kafka.split(":")
    connection = AIOKafkaConnection(host, int(port))
    await connection.connect()
    # What a broker that goes away does; after one turn of the loop it is closed, but aiokafka has not read of it yet.
    connection._writer.transport.abort()
    await asyncio.sleep(0)
    await connection.send(MetadataRequest([]))


def test_a_request_on_a_closed_connection_fails_as_a_connection_does(stack: RealStack) -> None:
    tell_closed_connections()
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        pytest.raises(KafkaConnectionError, match="the handler is closed"),
    ):
        runner.run(send_when_it_is_closed(stack.kafka))
