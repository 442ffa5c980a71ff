"""What lies in the database: everything personal sealed, and after a rotation nothing under the former master key."""

import asyncio
import json
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import pytest

from services.customer.main import build
from shared.plumbing.sealing import mark_of
from tests.support.commands import manyi, started
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack
NAME, PHONE, MAIL, ADDRESS = "尉迟恭9537", "13800139537", "canary.9537@example.com", "静安区9537号"
PERSON, SPOKEN, EARLY, POISON, ROW, WHY = (
    "许宁9537",
    "谈了9537的事",
    "来得早9537",
    "不成样子9537",
    "表里的9537",
    "因为9537",
)
CANARIES = (NAME, PHONE, MAIL, ADDRESS, PERSON, SPOKEN, EARLY, POISON, ROW, WHY)


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


async def post(customer: Running, path: str, body: object) -> dict[str, Any]:
    answer = await customer.client.post(path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert answer.is_success, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def opened(customer: Running, number: int = 0) -> str:
    """The path of a new file with a contact."""
    personal = {"name": NAME, "phone": f"1380013{9537 - number:04}", "email": MAIL, "address": ADDRESS}
    body = {**personal, "company": f"c{number} ltd", "lawfulBasis": "contract", "needs": SPOKEN}
    file = await post(customer, "/v1/customers", body)
    path = f"/v1/customers/{file['customerId']}"
    await post(customer, f"{path}/contacts", {"name": PERSON, "phone": PHONE})
    return path


async def filled(customer: Running) -> str:
    """Something personal in every place where the service keeps some; the path of a file."""
    path = await opened(customer)
    await post(customer, f"{path}/interactions", {"kind": "visit", "note": SPOKEN})
    row = f"编号,姓名,手机\nx-9,{ROW},13977319732\n".encode()
    kept = await customer.client.post("/v1/imports", content=row, headers={"content-type": "application/octet-stream"})
    assert kept.status_code == 201, kept.text
    changed = {"specversion": "1.0", "id": "e1", "source": "shop", "type": "customer.changed"}
    early = {**changed, "time": "2026-03-01T10:00:00Z", "data": {"customer": "k", "name": EARLY}}
    settings, database = customer.service.settings, customer.service.database
    topic = f"{settings.topic_prefix}customer-intake"
    await write(settings.kafka, topic, [(b"k", early), (b"k", POISON.encode()), (b"l", POISON.encode())])

    async def taken() -> bool:
        letters = await database["quarantine"].count_documents({})
        return letters == 2 and await database["early"].count_documents({}) == 1

    await eventually(taken, 30)
    letter = (await customer.client.get("/v1/dead-letters")).json()["letters"][0]["id"]
    await post(customer, f"/v1/dead-letters/{letter}/discard", {"reason": WHY})
    return path


async def documents(customer: Running) -> list[tuple[str, dict[str, Any]]]:
    """Every document of the service and of the keys."""
    found = []
    keys = customer.service.client[f"{customer.service.settings.database_prefix}keys"]
    for database in (customer.service.database, keys):
        for name in await database.list_collection_names():
            found += [(name, one) async for one in database[name].find()]
    return found


def closed(documents: list[tuple[str, dict[str, Any]]]) -> Iterator[bytes]:
    """All bytes that stand in the first level of a document."""
    for _, document in documents:
        yield from (value for value in document.values() if isinstance(value, bytes))


@pytest.mark.policy("S0-36")
async def test_nothing_personal_lies_open(customer: Running) -> None:
    path = await filled(customer)
    lying = await documents(customer)
    raw = b"".join(bson.encode(one) for _, one in lying)
    assert [one for one in CANARIES if one.encode() in raw] == []
    assert {"customers", "contacts", "interactions", "journal", "answers", "quarantine", "early", "import_chunks"} <= {
        name for name, one in lying if any(isinstance(value, bytes) for value in one.values())
    }
    # All of it is there all the same, for who holds the keys.
    shown = [(await customer.client.get(f"{path}{more}")).text for more in ("", "/personal-data")]
    assert [one for one in (NAME, PHONE, MAIL, ADDRESS, PERSON, SPOKEN) if one not in "".join(shown)] == []


class Rotating:
    """`manyi keys rotate` in a process of its own, on the installation of one service."""

    def __init__(self, customer: Running) -> None:
        self._settings = customer.service.settings
        assert self._settings.keys_file is not None
        self.file = self._settings.keys_file

    @property
    def held(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.file.read_text())
        return told

    async def to_its_end(self) -> None:
        status, _, said = await manyi(self._settings, "keys", "rotate")
        assert status == 0, said

    async def killed_when(self, come: Callable[[dict[str, Any]], bool]) -> None:
        """Begun, and killed as soon as that holds of the key file."""
        process = await started(self._settings, "keys", "rotate")
        await eventually(lambda: come(self.held), 60)
        process.send_signal(signal.SIGKILL)
        await process.communicate()

    async def retired(self) -> None:
        status, _, said = await manyi(self._settings, "keys", "retire")
        assert status == 0, said


@pytest.mark.policy("S0-36")
async def test_a_rotation_beside_commands_killed_twice_leaves_nothing_under_the_former_key(customer: Running) -> None:
    rotating, paths, done = Rotating(customer), [await filled(customer)], asyncio.Event()
    former = rotating.held["master_key"]

    async def go_on() -> None:
        while not done.is_set():
            paths.append(await opened(customer, len(paths)))
            await asyncio.sleep(0.1)

    async def read_all() -> None:
        for path in paths:
            told = (await customer.client.get(f"{path}/personal-data")).text
            assert [one for one in (NAME, PERSON, SPOKEN) if one not in told] == []

    working = asyncio.create_task(go_on())
    await rotating.killed_when(lambda held: bool(held.get("other_master_keys")))
    assert rotating.held["master_key"] == former
    await rotating.killed_when(lambda held: held["master_key"] != former)
    await read_all()
    await rotating.to_its_end()
    done.set()
    await working
    await rotating.retired()
    assert set(rotating.held) == {"installation_key", "master_key"}
    await opened(customer, len(paths))
    await read_all()
    lying = await documents(customer)
    marks = {one[:8] for one in closed(lying)}
    assert mark_of(bytes.fromhex(former)) not in marks
    assert mark_of(bytes.fromhex(rotating.held["master_key"])) in marks
