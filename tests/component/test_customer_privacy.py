"""Finding, copying and forgetting a person: afterwards nothing gives the values back, and the facts stay."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.customer.commands.erase_again import DONE, OVERLAP, erase_again
from services.customer.main import build
from services.feedback.main import build as build_feedback
from services.survey.main import build as build_survey
from shared.contracts.customer import ErasureCompleted
from tests.support.eventually import eventually
from tests.support.nights import night
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack
NAME, PHONE, MAIL, ADDRESS = "欧阳娜娜7319", "13800137319", "canary.7319@example.com", "浦东新区7319号"
COMPANY, PERSON, SPOKEN, WRITTEN = "金丝雀7319精密仪器有限公司", "李敏7319", "谈了7319的事", "投诉内容7319"
CANARIES = (NAME, PHONE, MAIL, ADDRESS, COMPANY, PERSON, SPOKEN, WRITTEN)


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


async def opened(customer: Running, **more: Any) -> str:
    fields = {"name": NAME, "phone": PHONE, "email": MAIL, "address": ADDRESS, "company": COMPANY}
    answer = await customer.client.post(
        "/v1/customers", json={**fields, "lawfulBasis": "contract", "needs": "x", **more}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customerId"])


async def found(customer: Running, **sought: str) -> list[str]:
    answer = await customer.client.get("/v1/customers/search", params=sought)
    assert answer.status_code == 200, answer.text
    return [one["customerId"] for one in answer.json()]


async def test_files_are_found_exactly_by_person_and_in_part_by_company(customer: Running) -> None:
    identifier = await opened(customer)
    other = await opened(
        customer, phone="13900139000", name="张三", email="z@example.com", company="Precision Tools Ltd"
    )
    contact = {"name": PERSON, "phone": "13700137319"}
    added = await customer.client.post(f"/v1/customers/{identifier}/contacts", json=contact)
    assert await found(customer, phone="+86 138 0013 7319") == [identifier]
    assert await found(customer, phone="137-0013-7319") == [identifier]
    assert await found(customer, name="欧阳 娜娜7319", email=MAIL.upper()) == [identifier]
    assert await found(customer, name=NAME, email="z@example.com") == []
    assert await found(customer, company="精密仪器") == [identifier]
    assert await found(customer, company="tools") == [other]
    assert await found(customer, company="ools") == []
    refused = await customer.client.get("/v1/customers/search", params={"company": "…"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/nothing-sought")
    changed = await customer.client.patch(
        f"/v1/customers/{identifier}/contacts/{added.json()['contactId']}", json={"phone": "13600136000"}
    )
    assert changed.status_code == 200, changed.text
    assert await found(customer, phone="13700137319") == []
    assert await found(customer, phone="13600136000") == [identifier]


@pytest.mark.policy("S2-02")
async def test_one_person_at_a_customer_gets_a_copy_of_what_is_kept_about_that_person_alone(customer: Running) -> None:
    identifier = await opened(customer)
    place = f"/v1/customers/{identifier}/contacts"
    ids = []
    for name, phone in ((PERSON, "13700137319"), ("赵强", "13600136000")):
        answer = await customer.client.post(place, json={"name": name, "phone": phone})
        ids.append(answer.json()["contactId"])
    for contact_id, label in zip(ids, ("我的生日", "别人的生日"), strict=True):
        day = {"occasion": "birthday", "day": {"month": 5, "day": 4}, "label": label, "contactId": contact_id}
        noted = await customer.client.post(f"/v1/customers/{identifier}/care-days", json=day)
        assert noted.status_code == 201, noted.text
    no = {"contactId": ids[0], "purposes": ["survey"], "evidence": "电话"}
    assert (await customer.client.post(f"/v1/customers/{identifier}/consents/withdrawals", json=no)).status_code == 200
    copied = (await customer.client.get(f"{place}/{ids[0]}/personal-data")).json()
    assert (copied["contact"]["name"], copied["contact"]["phone"]) == (PERSON, "13700137319")
    assert [one["label"] for one in copied["care_days"]] == ["我的生日"]
    assert [(one["purpose"], one["status"]) for one in copied["consents"]] == [("survey", "withdrawn")]
    assert set(copied) == {"contact", "care_days", "consents"}
    for foreign in (NAME, PHONE, "赵强", "别人"):
        assert foreign not in str(copied)
    unknown = await customer.client.get(f"{place}/{'0' * 32}/personal-data")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/contact-unknown")


async def test_whom_an_older_backup_brings_back_is_erased_again_and_looked_for_no_further_back_than_the_mark(
    customer: Running,
) -> None:
    identifier = await opened(customer)
    files, journal = (customer.service.database[name] for name in ("customers", "journal"))
    older = await files.find_one({"_id": identifier})
    assert older is not None
    erased = await customer.client.post(f"/v1/customers/{identifier}/erasure")
    assert erased.status_code == 200, erased.text
    await journal.delete_many({"subject": identifier, "type": ErasureCompleted.TYPE})
    await files.replace_one({"_id": identifier}, older)
    async with night(customer.service.settings) as later:
        marks, start = later.ledger.database["marks"], datetime.now(UTC).replace(microsecond=0) + 9 * OVERLAP
        later.at(start)

        async def erased_again() -> bool:
            await erase_again(later.ledger)
            head = await files.find_one({"_id": identifier})
            return head is not None and head["erased_at"] is not None

        await marks.update_one({"_id": DONE}, {"$set": {"since": start}}, upsert=True)
        assert not await erased_again(), "known here by then, says the mark"
        await marks.update_one({"_id": DONE}, {"$set": {"since": start - 20 * OVERLAP}})
        assert await erased_again()
        mark = await marks.find_one({"_id": DONE})
        assert mark is not None
        assert mark["since"] == start - OVERLAP
        assert await journal.count_documents({"subject": identifier, "type": ErasureCompleted.TYPE}) == 1


async def stored(customer: Running, namespace: Namespace) -> str:
    """Every document of every database of this installation, and its topics except intake, as text."""
    text = ""
    client = customer.service.client
    for name in await client.list_database_names():
        if name.startswith(namespace.database_prefix):
            for collection in await client[name].list_collection_names():
                text += str(await client[name][collection].find().to_list())
    for topic in ("customer-events", "survey-events", "feedback-events", "dead-letters"):
        records = await read_all(customer.service.settings.kafka, f"{namespace.topic_prefix}{topic}")
        text += "".join((record.value or b"").decode() for record in records)
    return text


def contact_event(identifier: str, data: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    envelope = {"specversion": "1.0", "id": identifier, "source": "shop", "time": "2026-03-01T10:00:00Z"}
    return b"k", {**envelope, "type": "customer.registered", "datacontenttype": "application/json", "data": data}


async def test_who_is_forgotten_is_nowhere_and_the_facts_stay(
    stack: RealStack, namespace: Namespace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as open_services:
        customer, feedback, survey = [
            await open_services.enter_async_context(running(service, settings_for(stack, namespace, tmp_path)))
            for service in (build, build_feedback, build_survey)
        ]
        personal = {"name": NAME, "phone": PHONE, "email": MAIL, "address": ADDRESS, "company": COMPANY}
        await write(
            stack.kafka,
            f"{namespace.topic_prefix}customer-intake",
            [
                contact_event("1", {"customer": "k", **personal, "lawful_basis": "contract"}),
                contact_event("2", {"customer": "k", **personal}),
            ],
        )
        by_source = {"source": "shop", "id": "k"}

        async def taken() -> bool:
            totals = (await customer.client.get("/v1/intake/receipts", params={"source": "shop"})).json()
            return bool(totals["processed"] == 2)

        await eventually(taken)
        found_file = (await customer.client.get("/v1/customers/by-external-id", params=by_source)).json()
        identifier = found_file["customerId"]
        path = f"/v1/customers/{identifier}"
        key = {"Idempotency-Key": "once"}
        added = await customer.client.post(f"{path}/contacts", json={"name": PERSON, "phone": PHONE}, headers=key)
        await customer.client.post(f"{path}/interactions", json={"kind": "visit", "note": SPOKEN})
        case = await feedback.client.post("/v1/cases", json={"customerId": identifier, "text": WRITTEN})
        case_path = f"/v1/cases/{case.json()['caseId']}"
        response = await survey.client.post(
            "/v1/responses",
            json={
                "customerId": identifier,
                "answers": [
                    {"question": "q", "metric": "csat", "scale": [1, 5], "value": 4},
                    {"question": "why", "comment": WRITTEN},
                ],
            },
        )
        assert response.status_code == 201, response.text
        response_path = f"/v1/responses/{response.json()['responseId']}"
        copied = (await customer.client.get(f"{path}/personal-data")).json()
        for canary in CANARIES[:-1]:
            assert canary in json.dumps(copied, ensure_ascii=False)

        one = await customer.client.post(f"{path}/contacts/{added.json()['contactId']}/erasure")
        assert one.status_code == 200, one.text
        left = (await customer.client.get(f"{path}/personal-data")).json()
        assert PERSON not in json.dumps(left, ensure_ascii=False)
        assert left["customer"]["name"] == NAME

        certificate = (await customer.client.post(f"{path}/erasure", headers={"Idempotency-Key": "erase"})).json()
        again = await customer.client.post(f"{path}/erasure", headers={"Idempotency-Key": "erase"})
        assert again.json() == certificate
        assert (await customer.client.post(f"{path}/erasure")).status_code == 409
        assert certificate["services"] == ["customer", "survey", "feedback"]
        listed = (await customer.client.get(f"{path}/erasures")).json()
        assert [listed[0]["contactId"], listed[1]] == [added.json()["contactId"], certificate]

        async def forgotten_everywhere() -> bool:
            answers = [
                await customer.client.get(f"{path}/personal-data"),
                await customer.client.get("/v1/customers/by-external-id", params=by_source),
                await feedback.client.get(case_path),
                await feedback.client.get(f"{case_path}/text"),
                await survey.client.get(f"{response_path}/comment"),
            ]
            assert {answer.status_code for answer in answers} == {200}
            return not any(canary in answer.text for answer in answers for canary in CANARIES)

        await eventually(forgotten_everywhere)
        assert await found(customer, phone=PHONE) == await found(customer, company="精密") == []
        replayed = await customer.client.post(f"{path}/contacts", json={"name": PERSON, "phone": PHONE}, headers=key)
        assert (replayed.status_code, replayed.json()["type"]) == (409, "/problems/customer-erased")
        refused = await customer.client.patch(path, json={"name": NAME})
        assert refused.json()["type"] == "/problems/customer-erased"
        answers_now = (await survey.client.get(response_path)).json()
        assert answers_now["answers"] == response.json()["answers"]
        text = await stored(customer, namespace)
        text += "".join([(await one.client.get("/metrics")).text for one in (customer, feedback, survey)])
        for canary in CANARIES:
            assert canary not in text
        persons = customer.service.client[f"{namespace.database_prefix}keys"]["persons"]
        assert await persons.find_one({"_id": identifier}) is None
        late = contact_event("3", {"customer": "k", "name": NAME})
        late[1]["type"] = "customer.changed"
        await write(stack.kafka, f"{namespace.topic_prefix}customer-intake", [late])

        async def refused_late() -> bool:
            return bool(await customer.service.database["quarantine"].count_documents({"person": identifier}))

        await eventually(refused_late)
        letters = (await customer.client.get("/v1/dead-letters")).json()["letters"]
        assert "was erased at their request" in letters[0]["reason"]
        shown = await customer.client.get(f"/v1/dead-letters/{letters[0]['id']}", params={"payload": True})
        assert shown.status_code == 200, shown.text
        assert NAME not in shown.text
    printed = capfd.readouterr()
    for canary in CANARIES:
        assert canary not in printed.out + printed.err
