"""What aiokafka must be told where uvloop runs the loop (aio-libs/aiokafka#1038).

A broker that goes away closes its connections, and somebody may write to one before the client has noticed. asyncio's
transports let that pass and the answer fails; uvloop's raise RuntimeError, which aiokafka takes for a fault of its own:
the task that keeps the member in its group ends, and the process lives on without ever hearing anything again.
"""

from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError


def tell_closed_connections() -> None:
    """From now on a request on a closed connection raises KafkaConnectionError, which aiokafka tries again."""
    send = AIOKafkaConnection.send
    if hasattr(send, "__wrapped__"):
        return

    @wraps(send)
    def telling(connection: AIOKafkaConnection, *arguments: Any, **named: Any) -> Any:
        try:
            return send(connection, *arguments, **named)
        except KafkaError:
            raise
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(str(error)) from error

    AIOKafkaConnection.send = telling
