"""What foreign writers put on intake is taken in and counted: both languages, both modes, every codec."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build as customer
from services.reporting.main import build as reporting
from tests.foreign import node_writer, python_writer
from tests.support.eventually import eventually
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


def orders(source: str, writer: str, count: int = 20) -> list[dict[str, Any]]:
    """Orders of 1.00 each, by customers of their own, on as many days."""
    return [
        {
            "id": f"{writer}-{number}",
            "source": source,
            "type": "order.placed",
            "time": f"2026-10-{number + 1:02d}T12:00:00+08:00",
            "timezone": "Asia/Shanghai",
            "partitionkey": f"{writer}-{number}",
            "datacontenttype": "application/json",
            "data": {
                "customer": f"{writer}-{number}",
                "order": f"{writer}-{number}",
                "amount": 100,
                "currency": "CNY",
            },
        }
        for number in range(count)
    ]


async def test_both_languages_both_modes_every_codec(stack: RealStack, namespace: Namespace, tmp_path: Path) -> None:
    node_writer.require_node()
    topic = f"{namespace.topic_prefix}customer-intake"
    expected: dict[str, int] = {"python": 0, "node": 0}
    async with AsyncExitStack() as services:
        desk = await services.enter_async_context(running(customer, settings_for(stack, namespace, tmp_path)))
        numbers = await services.enter_async_context(running(reporting, settings_for(stack, namespace, tmp_path)))
        for mode in python_writer.MODES:
            for codec in python_writer.CODECS:
                events = orders("python", f"{mode}-{codec}")
                assert await asyncio.to_thread(python_writer.write, stack.kafka, topic, events, mode, codec) == []
                expected["python"] += len(events)
            # A Node without zstd leaves that codec to Python.
            for codec in await asyncio.to_thread(node_writer.codecs):
                events = orders("node", f"{mode}-{codec}")
                await asyncio.to_thread(node_writer.write, stack.kafka, topic, events, mode, codec)
                expected["node"] += len(events)

        async def all_counted() -> bool:
            for source, count in expected.items():
                taken = (await desk.client.get("/v1/intake/receipts", params={"source": source})).json()
                assert taken["types"] == {
                    "order.placed": {"accepted": count, "duplicate": 0, "early": 0, "rejected": 0}
                }
                asked = {"from": "2026-10-01", "to": "2026-11-01", "where.source": source}
                total = (await numbers.client.get("/v1/metrics/purchases", params=asked)).json()["total"]
                assert (total["value"], total["amounts"]) == (count, {"CNY": count * 100})
            return True

        assert await eventually(all_counted, timeout=60)
