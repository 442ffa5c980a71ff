"""The customer service over HTTP and its topics."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from tests.support.customers import wang
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


def event(kind: str, identifier: str, data: dict[str, Any], source: str = "shop") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": identifier,
        "source": source,
        "type": kind,
        "time": "2026-03-01T10:00:00Z",
        "timezone": "Europe/London",
        "datacontenttype": "application/json",
        "data": data,
    }


async def test_a_file_is_opened_changed_and_read(customer: Running) -> None:
    answer = await customer.client.post("/v1/customers", json=wang(region="华东", grade="A"))
    assert answer.status_code == 201, answer.text
    opened = answer.json()
    changed = await customer.client.patch(f"/v1/customers/{opened['customerId']}", json={"needs": "维修"})
    assert changed.json()["needs"] == "维修"
    read = (await customer.client.get(f"/v1/customers/{opened['customerId']}")).json()
    assert read == changed.json()
    assert read["name"] == "王芳"
    listed = (await customer.client.get("/v1/customers", params={"grade": "A"})).json()
    assert [one["customerId"] for one in listed["customers"]] == [opened["customerId"]]


async def test_the_same_idempotency_key_gets_the_first_answer(customer: Running) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await customer.client.post("/v1/customers", json=wang(), headers=headers)
    again = await customer.client.post("/v1/customers", json=wang(), headers=headers)
    other = await customer.client.post("/v1/customers", json=wang(name="李敏"), headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert len((await customer.client.get("/v1/customers")).json()["customers"]) == 1


async def test_orders_in_any_order_are_said_once_each(
    customer: Running, stack: RealStack, namespace: Namespace
) -> None:
    placed = event("order.placed", "1", {"customer": "k", "order": "o1", "amount": 1250, "currency": "GBP"})
    cancelled = event("order.cancelled", "2", {"customer": "k", "order": "o1"})
    other = event("order.placed", "3", {"customer": "k", "order": "o2", "amount": 5, "currency": "GBP"})
    topic = f"{namespace.topic_prefix}customer-intake"
    await write(stack.kafka, topic, [(b"x", cancelled), (b"y", placed), (b"z", other), (b"q", placed), (b"x", other)])

    async def settled() -> bool:
        totals = (await customer.client.get("/v1/intake/receipts", params={"source": "shop"})).json()
        return bool(totals["processed"] == 5)

    await eventually(settled)
    types = (await customer.client.get("/v1/intake/receipts", params={"source": "shop"})).json()["types"]
    assert types["order.placed"] == {"accepted": 2, "duplicate": 2, "early": 0, "rejected": 0}

    async def cancelled_at_last() -> bool:
        totals = (await customer.client.get("/v1/intake/receipts", params={"source": "shop"})).json()
        return bool(totals["types"]["order.cancelled"]["accepted"] == 1)

    await eventually(cancelled_at_last)

    async def said() -> list[dict[str, Any]]:
        records = await read_all(stack.kafka, f"{namespace.topic_prefix}customer-events")
        assert all(record.key.decode() == json.loads(record.value)["partitionkey"] for record in records)
        # The relay may say an event twice, never in another order.
        return list({one["id"]: one for one in (json.loads(record.value) for record in records)}.values())

    async def all_said() -> bool:
        return len(await said()) == 4

    await eventually(all_said)
    events = await said()
    assert [one["revision"] for one in events] == [1, 2, 3, 4]
    assert sorted(one["type"] for one in events) == [
        "manyi.customer.created.v1",
        "manyi.customer.purchase.cancelled.v1",
        "manyi.customer.purchase.recorded.v1",
        "manyi.customer.purchase.recorded.v1",
    ]
    assert events[1]["data"]["dims"]["source"] == "shop"


async def test_bad_input_is_answered_and_nothing_around_it_is_lost(
    customer: Running, stack: RealStack, namespace: Namespace
) -> None:
    good = event("order.placed", "1", {"customer": "k", "order": "o1", "amount": 1, "currency": "GBP"})
    bad: list[tuple[bytes | None, Any]] = [
        (None, b"not json"),
        (b"k", b'{"specversion":"1.0","specversion":"1.0"}'),
        (b"k", b"\xff\xfe"),
        (b"k", b"[" * 5000),
        (b"k", None),
        (b"k", b""),
        (b"k", event("order.teleported", "t", {})),
        (b"k", event("order.placed", "u", {"customer": "k", "order": "o2", "amount": "1", "currency": "GBP"})),
        (b"k", {name: value for name, value in good.items() if name != "id"}),
    ]
    await write(stack.kafka, f"{namespace.topic_prefix}customer-intake", [*bad, (b"k", good)])

    async def quarantined() -> bool:
        health = (await customer.client.get("/v1/health")).json()
        return bool(health["dead_letters"] == len(bad))

    await eventually(quarantined)

    async def announced() -> bool:
        letters = await read_all(stack.kafka, f"{namespace.topic_prefix}dead-letters")
        return len({letter.key for letter in letters}) == len(bad)  # one may be announced twice

    await eventually(announced)
    letters = [json.loads(one.value) for one in await read_all(stack.kafka, f"{namespace.topic_prefix}dead-letters")]
    reasons = " ".join(letter["data"]["reason"] for letter in letters)
    assert "unknown type 'order.teleported'" in reasons
    assert "amount" in reasons
    types = (await customer.client.get("/v1/intake/receipts", params={"source": "shop"})).json()["types"]
    assert types["order.placed"]["accepted"] == 1


async def test_events_over_http_get_receipts(customer: Running) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    good = event("order.placed", "1", {"customer": "k", "order": "o1", "amount": 1, "currency": "GBP"})
    for outcome in ("accepted", "duplicate"):
        answer = await customer.client.post("/v1/intake", json=good, headers=headers)
        assert answer.json()["receipts"][0]["outcome"] == outcome
    twice = await customer.client.post("/v1/intake", content=b'{"id":"1","id":"1"}', headers=headers)
    assert (twice.status_code, twice.headers["content-type"]) == (400, "application/problem+json")
    large = await customer.client.post("/v1/intake", content=b" " * (1024 * 1024 + 1), headers=headers)
    assert large.status_code == 413


async def test_names_and_phones_are_nowhere_but_sealed(
    customer: Running, stack: RealStack, namespace: Namespace
) -> None:
    canary = "canary-7319"
    personal = {"customer": "k", "name": canary, "phone": canary, "email": canary, "address": canary, "needs": canary}
    await write(
        stack.kafka,
        f"{namespace.topic_prefix}customer-intake",
        [
            (b"k", event("customer.registered", "1", personal)),
            (
                b"k",
                event("interaction.logged", "2", {"customer": "k", "interaction": "i", "kind": "x", "note": canary}),
            ),
            (b"k", event("contact.registered", "3", {"customer": "k", "contact": "c", "name": canary})),
            (b"k", event("order.cancelled", "4", {"customer": "k", "order": canary})),
            (b"k", event("customer.registered", "5", {**personal, "customer": "l", "nonsense": canary})),
        ],
    )

    async def settled() -> bool:
        totals = (await customer.client.get("/v1/intake/receipts", params={"source": "shop"})).json()
        return bool(totals["processed"] == 5)

    await eventually(settled)
    found = (await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": "k"})).json()
    assert found["name"] == canary
    database = customer.service.database
    for collection in await database.list_collection_names():
        async for document in database[collection].find():
            assert canary not in str(document), collection
    for topic in ("customer-events", "dead-letters"):
        for record in await read_all(stack.kafka, f"{namespace.topic_prefix}{topic}"):
            assert canary.encode() not in record.value
