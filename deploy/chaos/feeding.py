"""Faults of what comes in: repeated, out of order, poison, of another version."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from deploy.chaos.ledger import Call
from deploy.chaos.scene import LOOK_AGAIN_S, SPEAKERS, Scene
from deploy.chaos.topics import EVENTS, Told, everything

CUSTOMERS = "manyi-customer-events"
SOURCE = "manyi/elsewhere"
"""Not the customer service, which would refuse to start on a topic that tells of it what its journal does not know."""
INTAKES = tuple(f"manyi-{speaker}-intake" for speaker in SPEAKERS)
POISON_A_TOPIC = 30
SENT_AGAIN = 300
PARKED_WITHIN_S = 60.0


async def send(kafka: str, topic: str, records: list[Told]) -> None:
    """As they are, one after another, acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=2)
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, value, key=key) for key, value in records])
    finally:
        await producer.stop()


async def repeat(scene: Scene) -> float:
    """every record on intake 1 to 5 times in any order, and hundreds of events that a relay sent, sent again"""
    scene.load.times = (1, 5)
    try:
        await scene.pause(3.0, 5.0)
        for topic in EVENTS:
            standing = await asyncio.to_thread(everything, scene.system.kafka, topic)
            again = scene.random.choices(standing, k=SENT_AGAIN) if standing else []
            await send(scene.system.kafka, topic, again)
    finally:
        scene.load.times = (1, 1)
    return await scene.recovery(asyncio.get_running_loop().time(), scene.random.choice(SPEAKERS))


async def reorder(scene: Scene) -> float:
    """a subject's events arrive last first: they are parked and counted by nobody until the first one is there"""
    name = f"out-of-order-{scene.cycle}"
    events = [history(scene, name, revision) for revision in (1, 2, 3, 4)]
    topic, key = CUSTOMERS, name.encode()
    await send(scene.system.kafka, topic, [(key, json.dumps(event).encode()) for event in reversed(events[1:])])
    try:
        async with asyncio.timeout(PARKED_WITHIN_S):
            while await _parked(scene) < len(events) - 1:  # noqa: ASYNC110 - another process has to do it
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError:
        scene.troubles.append(f"{name}: what came before its time was not parked")
    if await scene.counted("purchases", name):
        scene.troubles.append(f"{name}: what came before its time was counted")
    since = asyncio.get_running_loop().time()
    await send(scene.system.kafka, topic, [(key, json.dumps(events[0]).encode())])
    told(scene, events)
    return await scene.recovery(since, "customer")


async def _parked(scene: Scene) -> int:
    try:
        return int((await scene.health())["parked"])
    except httpx.HTTPError:
        return 0


def history(scene: Scene, customer: str, revision: int) -> dict[str, Any]:
    """The event of a revision as a speaker would tell it: a file opened, then orders."""
    event = {
        "specversion": "1.0",
        "id": f"{customer}-{revision}",
        "source": SOURCE,
        "type": "manyi.customer.created.v1",
        "subject": customer,
        "time": "2026-03-05T04:00:00.000Z",
        "recordedtime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "partitionkey": customer,
        "revision": revision,
        "data": {"customerId": customer, "code": customer},
    }
    if revision == 1:
        return event
    order = {
        "customerId": customer,
        "purchaseId": f"{customer}-{revision}",
        "amount": scene.random.randint(1, 999),
        "currency": "CNY",
        "occurredAt": "2026-03-05T04:00:00.000Z",
        "dims": {"region": "east", "channel": customer},
    }
    return event | {"type": "manyi.customer.purchase.recorded.v1", "data": order}


def told(scene: Scene, events: list[dict[str, Any]]) -> None:
    """Note that a customer's events were put on the topic by hand: the file opened, then orders, which count."""
    records: list[Told] = [(event["partitionkey"].encode(), json.dumps(event).encode()) for event in events]
    scene.beside.setdefault(CUSTOMERS, []).extend(records)
    scene.load.ledger.append([fabricated(event) for event in events[1:]])


def fabricated(event: dict[str, Any]) -> Call:
    """What an order that was put on an events topic by hand adds to the ledger."""
    data = event["data"]
    return {
        "kind": "order",
        "id": event["id"],
        "day": event["time"][:10],
        "region": data["dims"]["region"],
        "amount": data["amount"],
        "customer": event["subject"],
    }


async def poison(scene: Scene) -> float:
    """noise on every topic between the records of the load: bytes, broken, absurd and enormous JSON, nothing at all"""
    since = asyncio.get_running_loop().time()
    for topic in (*INTAKES, *EVENTS):
        await send(scene.system.kafka, topic, [noise(scene) for _ in range(POISON_A_TOPIC)])
    return await scene.recovery(since, scene.random.choice(SPEAKERS))


def noise(scene: Scene) -> Told:
    """A record that nobody can read: random bytes, broken or absurd JSON, a good event damaged somewhere."""
    random = scene.random
    good = json.dumps(history(scene, f"noise-{random.randrange(10**9)}", 1)).encode()
    place = random.randrange(len(good))
    value = random.choice(
        [
            None, b"", random.randbytes(random.randint(1, 200)), b"{", b"[" * 50_000, b'{"a":NaN}', b"null", b"1e999",
            b'{"id":"a","id":"b"}', b'"' + b"a" * 900_000 + b'"', good[:place], b"\xff" + good,
            b'{"revision":' + b"9" * 5_000 + b"}",
        ]
    )  # fmt: skip
    keys = [b"", b"key", random.randbytes(8), *([] if value is None else [None])]  # aiokafka sends no record of nothing
    return random.choice(keys), value


async def foreign_version(scene: Scene) -> float:
    """types and versions nobody knows, contents against the contract; what is only additional is read"""
    name = f"newer-{scene.cycle}"
    opened, order = history(scene, name, 1), history(scene, name, 2)
    order["data"]["fieldOfTheFuture"] = {"x": 1}
    order["extensionofthefuture"] = "y"
    foreign = [
        {**opened, "id": "v", "subject": f"{name}-v", "type": "manyi.customer.created.v9"},
        {**opened, "id": "w", "subject": f"{name}-w", "specversion": "2.0"},
        {**opened, "id": "x", "subject": f"{name}-x", "data": {"customerId": 7}},
        {**order, "id": "y", "subject": f"{name}-y", "revision": 1, "data": {**order["data"], "amount": "seven"}},
    ]
    since = asyncio.get_running_loop().time()
    records: list[Told] = [(name.encode(), json.dumps(event).encode()) for event in (*foreign, opened, order)]
    await send(scene.system.kafka, CUSTOMERS, records)
    told(scene, [opened, order])
    return await scene.recovery(since, "customer")
