"""Who was erased stays erased: an older backup brings back neither words nor names, and no number changes (PIPL 47)."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.backups.putting_back import put_keys_back
from deploy.local.anew import publish_anew
from deploy.local.topics import journaled_topics
from services.customer.main import build
from services.feedback.main import build as build_feedback
from services.reporting.main import build as build_reporting
from services.survey.main import build as build_survey
from shared.plumbing.settings import Settings
from tests.support.backups import readable, vault_of
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack, drop_databases
from tests.support.topics import write

pytestmark = [pytest.mark.stack, pytest.mark.policy("S1-07"), pytest.mark.policy("S0-36")]
SERVICES = {"customer": build, "survey": build_survey, "feedback": build_feedback, "reporting": build_reporting}
NAME, PHONE, MAIL, ADDRESS = "司马清扬8426", "13800138426", "canary.8426@example.com", "徐汇区8426号"
PERSON, SPOKEN, WRITTEN, POISON = "周宁8426", "谈了8426的事", "投诉内容8426", "不成样子8426"
PERSONAL = (NAME, PHONE, MAIL, ADDRESS, PERSON, SPOKEN, WRITTEN)
STAYING, LEFT, LEFT_PHONE = "留下8426", "离开8426", "13900139426"
"""A customer who stays, and somebody there who is erased alone."""
COMPANY = "金丝雀8426光学有限公司"
"""Of an organisation: open in its file, and in nothing else."""


class Installation:
    """All four services."""

    def __init__(self, services: dict[str, Running]) -> None:
        self.customer, self.survey, self.feedback, self.reporting = (services[name] for name in SERVICES)

    async def numbers(self) -> dict[str, Any]:
        """What is counted of both facts, once each of them is."""

        async def counted() -> dict[str, Any] | None:
            told = {}
            for metric in ("csat", "complaints_opened"):
                answer = await self.reporting.client.get(f"/v1/metrics/{metric}", params={"by": "region"})
                told[metric] = [answer.json()["total"], answer.json()["groups"]]
            return told if all(total["n"] == 1 for total, _ in told.values()) else None

        found: dict[str, Any] | None = await eventually(counted, 60)
        assert found is not None
        return found


@asynccontextmanager
async def installation(settings: list[Settings]) -> AsyncIterator[Installation]:
    async with AsyncExitStack() as open_services:
        yield Installation(
            {
                name: await open_services.enter_async_context(running(build_one, one))
                for (name, build_one), one in zip(SERVICES.items(), settings, strict=True)
            }
        )


async def told(here: Installation) -> tuple[str, list[tuple[Running, str]]]:
    """A customer of whom each service keeps something; the id, and every place that shows it."""
    personal = {"name": NAME, "phone": PHONE, "email": MAIL, "address": ADDRESS, "company": COMPANY}
    body = {**personal, "lawfulBasis": "contract", "needs": SPOKEN, "region": "华东"}
    file = await here.customer.client.post("/v1/customers", json=body, headers={"Idempotency-Key": "opened"})
    assert file.status_code == 201, file.text
    identifier = file.json()["customerId"]
    path = f"/v1/customers/{identifier}"
    for place, one in (
        ("contacts", {"name": PERSON, "phone": PHONE}),
        ("interactions", {"kind": "visit", "note": SPOKEN}),
    ):
        done = await here.customer.client.post(f"{path}/{place}", json=one, headers={"Idempotency-Key": place})
        assert done.is_success, done.text
    case = await here.feedback.client.post("/v1/cases", json={"customerId": identifier, "text": WRITTEN})
    score = {"question": "q", "metric": "csat", "scale": [1, 5], "value": 4}
    answers = {"customerId": identifier, "answers": [score, {"question": "why", "comment": WRITTEN}]}
    response = await here.survey.client.post("/v1/responses", json=answers)
    assert (case.status_code, response.status_code) == (201, 201), (case.text, response.text)
    topic = f"{here.customer.service.settings.topic_prefix}customer-intake"
    await write(here.customer.service.settings.kafka, topic, [(b"k", POISON.encode())])
    return identifier, [
        *((here.customer, f"{path}{more}") for more in ("", "/personal-data", "/contacts", "/timeline", "/360")),
        (here.feedback, f"/v1/cases/{case.json()['caseId']}"),
        (here.feedback, f"/v1/cases/{case.json()['caseId']}/text"),
        (here.survey, f"/v1/responses/{response.json()['responseId']}/comment"),
    ]


async def told_of_two(here: Installation) -> tuple[str, str]:
    """A file, and the contact in it who is going to be erased."""
    body = {"name": STAYING, "phone": "13700137426", "company": "c", "lawfulBasis": "contract", "needs": "x"}
    file = (await here.customer.client.post("/v1/customers", json=body)).json()
    path = f"/v1/customers/{file['customerId']}"
    added = await here.customer.client.post(f"{path}/contacts", json={"name": LEFT, "phone": LEFT_PHONE})
    assert added.status_code == 201, added.text
    return path, f"{path}/contacts/{added.json()['contactId']}"


async def text_of(places: list[tuple[Running, str]]) -> str:
    answers = [await service.client.get(place) for service, place in places]
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    return "".join(answer.text for answer in answers)


async def stored(settings: Settings, client: Any) -> str:
    """Every document of every database of this installation."""
    text = ""
    for name in await client.list_database_names():
        if name.startswith(settings.database_prefix):
            for collection in await client[name].list_collection_names():
                text += str(await client[name][collection].find().to_list())
    return text


async def test_an_older_backup_brings_nobody_back(stack: RealStack, namespace: Namespace, tmp_path: Path) -> None:
    settings = [settings_for(stack, namespace, tmp_path) for _ in SERVICES]
    vault, masters = vault_of(settings[0]), settings[0].keys.masters
    async with installation(settings) as here:
        identifier, places = await told(here)
        path = f"/v1/customers/{identifier}"
        other, contact = await told_of_two(here)
        letters = here.customer.service.database["quarantine"]
        await eventually(lambda: letters.count_documents({"open": True}), 30)
        numbers = await here.numbers()
        shown = await text_of(places)
        assert [one for one in (*PERSONAL, COMPANY) if one not in shown] == []
        backup = await vault.take(*SERVICES)
        could_read = await asyncio.to_thread(readable, vault, backup, masters)
        assert [one for one in PERSONAL if one not in could_read] == []
        erased = await here.customer.client.post(f"{path}/erasure")
        left = await here.customer.client.post(f"{contact}/erasure")
        assert (erased.status_code, left.status_code) == (200, 200), erased.text + left.text
        early_copy = shutil.copytree(vault.keys / backup.name, tmp_path / "kept by somebody")
        await vault.take(*SERVICES)

    await vault.put_back(backup, *SERVICES)
    await publish_anew(stack.kafka, stack.mongo, journaled_topics(namespace.topics), namespace.database_prefix)
    async with installation(settings) as here:
        shown = await text_of([(getattr(here, service.service.name), place) for service, place in places])
        assert [one for one in (*PERSONAL, COMPANY) if one in shown] == []
        for sought in ({"phone": PHONE}, {"name": NAME}, {"email": MAIL}, {"company": "8426光学"}):
            assert (await here.customer.client.get("/v1/customers/search", params=sought)).json() == []
        assert (await here.customer.client.get("/v1/customers/search", params={"phone": LEFT_PHONE})).json() == []
        copied = (await here.customer.client.get(f"{other}/personal-data")).text
        assert (STAYING in copied, LEFT in copied) == (True, False)
        again = await here.customer.client.post(
            f"{path}/contacts", json={"name": PERSON, "phone": PHONE}, headers={"Idempotency-Key": "contacts"}
        )
        assert (again.status_code, again.json()["type"]) == (409, "/problems/customer-erased")
        certificates = (await here.customer.client.get(f"{path}/erasures")).json()
        assert [one["services"] for one in certificates] == [["customer", "survey", "feedback"]]
        assert await here.numbers() == numbers
        kept = await stored(settings[0], here.customer.service.client)
        assert [one for one in (*PERSONAL, COMPANY, POISON, LEFT) if one in kept] == []

    async def nothing_is_readable() -> None:
        can_read = await asyncio.to_thread(readable, vault, backup, masters)
        assert identifier in can_read
        assert [one for one in (*PERSONAL, POISON, LEFT) if one in can_read] == []
        assert STAYING in can_read

    await nothing_is_readable()
    await asyncio.to_thread(drop_databases, stack.mongo, f"{namespace.database_prefix}keys")
    await asyncio.to_thread(put_keys_back, vault.mongo, vault.prefix, vault.key, early_copy)
    await nothing_is_readable()
    shutil.rmtree(early_copy)
    raw = b"".join(file.read_bytes() for file in vault.folder.rglob("*") if file.is_file())
    assert [one for one in (*PERSONAL, COMPANY, POISON) if one.encode() in raw] == []
