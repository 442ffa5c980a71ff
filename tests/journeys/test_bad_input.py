"""Bad input on every topic and every endpoint: a clear answer or a quarantined record, and nothing around it lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiokafka.errors import MessageSizeTooLargeError

from deploy.local.system import System
from deploy.tapes.play import Manner
from tests.journeys.test_tapes import different, figures, played
from tests.support.eventually import eventually
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e",
    "source": "hostile",
    "type": "order.placed",
    "time": "2026-01-01T00:00:00Z",
    "data": {"customer": "c", "order": "o", "amount": 1, "currency": "EUR"},
}
POISON: dict[str, bytes | None] = {
    "not JSON": b"<xml/>",
    "empty": b"",
    "no value": None,
    "bad UTF-8": b'{"specversion": "1.0", "id": "\xff\xfe"}',
    "duplicate keys": b'{"specversion": "1.0", "id": "a", "id": "b", "source": "hostile", "type": "order.placed"}',
    "deep nesting": b"[" * 100_000,
    "NaN": b'{"specversion": "1.0", "id": NaN}',
    "not an object": b"[1, 2]",
    "wrong types": json.dumps({**EVENT, "data": {"customer": 1, "order": [], "amount": "x", "currency": 5}}).encode(),
    "missing id": json.dumps({name: value for name, value in EVENT.items() if name != "id"}).encode(),
    "unknown type": json.dumps({**EVENT, "id": "u", "type": "order.teleported"}).encode(),
    "unknown version": json.dumps({**EVENT, "id": "v", "type": "manyi.customer.created.v9"}).encode(),
    "specversion of the future": json.dumps({**EVENT, "id": "w", "specversion": "2.0"}).encode(),
    "data that is no object": json.dumps({**EVENT, "id": "x", "data": "text"}).encode(),
}
TOPICS = (
    "customer-intake",
    "survey-intake",
    "feedback-intake",
    "customer-events",
    "survey-events",
    "feedback-events",
)
READABLE = ("wrong types", "unknown type", "unknown version", "data that is no object")
"""Events with a name: told to an intake again they are duplicates of a rejected one."""
SET_ASIDE = 11 * 2 * len(POISON) - 3 * len(READABLE)
"""Three intakes, three event topics in reporting, survey-events and customer-events once more in feedback's reactions,
survey-events and feedback-events once more in customer's, customer-events once more in survey's; all twice."""
UPLOADS = "/v1/imports"
"""Takes whole files: larger bodies, whose content is judged."""
BODIES: dict[str, bytes] = {
    "not JSON": b"{",
    "bad UTF-8": b'{"name": "\xff"}',
    "duplicate keys": b'{"name": "a", "name": "b"}',
    "deep nesting": b"[" * 100_000,
    "an array": b"[]",
    "null": b"null",
    "wrong types": b'{"kind": 5, "name": [], "answers": "x", "code": {}, "questions": 1, "text": 1, "customerId": 1}',
    "unknown fields": b'{"nonsense": true}',
}


async def test_poison_on_every_topic_is_set_aside_and_the_rest_is_counted(system: System) -> None:
    """Poison before, between and after the records of a tape, with and without a key."""
    for topic in TOPICS:
        await write(
            system.kafka, f"manyi-{topic}", [(None if raw is not None else b"key", raw) for raw in POISON.values()]
        )
    playing = asyncio.create_task(played(system, "known-answers", Manner()))
    for topic in TOPICS:
        await write(system.kafka, f"manyi-{topic}", [(b"key", raw) for raw in POISON.values()])
    assert (await playing).rejected == 0
    assert different(await figures(system, "known-answers")) == []

    async with httpx.AsyncClient(timeout=30) as client:

        async def all_set_aside() -> None:
            count = 0
            for url in system.services.values():
                health = (await client.get(f"{url}/v1/health")).json()
                assert health["ready"], health
                count += health["dead_letters"]
            assert count == SET_ASIDE

        async def settled() -> bool:
            await all_set_aside()
            return True

        await eventually(settled, timeout=60)

        async def announced() -> bool:
            return len(await read_all(system.kafka, "manyi-dead-letters")) >= SET_ASIDE

        await eventually(announced, timeout=30)
    for record in await read_all(system.kafka, "manyi-dead-letters"):
        letter = json.loads(record.value)["data"]
        assert letter["reason"]
        assert set(letter) == {"service", "topic", "partition", "offset", "reason"}

    with pytest.raises(MessageSizeTooLargeError):
        await write(system.kafka, "manyi-customer-intake", [(b"k", b" " * (2 * 1024 * 1024))])


async def operations(url: str) -> AsyncIterator[tuple[str, str]]:
    """Every operation with a body, its path filled in with a name nobody has."""
    async with httpx.AsyncClient(timeout=30) as client:
        document = (await client.get(f"{url}/openapi.json")).json()
    for path, methods in document["paths"].items():
        filled = "/".join("nobody" if step.startswith("{") else step for step in path.split("/"))
        for method in methods:
            if method in ("post", "patch", "put"):
                yield method.upper(), f"{url}{filled}"


async def test_bad_bodies_on_every_endpoint_are_answered(system: System) -> None:
    """4xx with a problem document that says what to do; never a fault of ours, never a crash."""
    asked = 0
    async with httpx.AsyncClient(timeout=30) as client:
        for url in system.services.values():
            async for method, place in operations(url):
                content_type = "application/cloudevents+json" if place.endswith("/intake") else "application/json"
                for name, body in {**BODIES, "over 1 MiB": b'"' + b"a" * 1024 * 1024 + b'"'}.items():
                    answer = await client.request(method, place, content=body, headers={"content-type": content_type})
                    assert 400 <= answer.status_code < 500, (method, place, name, answer.status_code, answer.text)
                    assert answer.headers["content-type"] == "application/problem+json", (method, place, name)
                    problem = answer.json()
                    assert problem["status"] == answer.status_code
                    assert problem["detail"]
                    if name == "over 1 MiB" and not place.endswith(UPLOADS):
                        assert answer.status_code == 413
                    asked += 1
    assert asked > 100
