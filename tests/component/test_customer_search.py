"""Looking for files: whoever matches is found, however many others nearly match."""

from typing import Any

import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack
ALIKE, END = (
    "中国西南油气勘探开发集团股份有限公司四川盆地分公司",
    "采气管理处川东北天然气净化与集输联合作业区生产运行部",
)
SHARED = "02888880000"
MANY = 2_500


async def opened(customer: Running, who: dict[str, str], **fields: Any) -> str:
    answer = await customer.client.post("/v1/customers", json=wang(**fields), headers=who)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customerId"])


async def found(customer: Running, who: dict[str, str], **sought: Any) -> list[str]:
    answer = await customer.client.get("/v1/customers/search", params=sought, headers=who)
    assert answer.status_code == 200, answer.text
    return [one["customerId"] for one in answer.json()]


async def test_a_long_part_of_a_name_is_found_behind_many_that_begin_and_end_alike(
    customer: Running, issuer: Issuer
) -> None:
    director = issuer.bearer("u-dir", "director")
    names = [f"{ALIKE}第{number}{END}" for number in ("一", "二", "三")]
    ids = [
        await opened(customer, director, company=name, phone=f"1380013800{number}", name=f"王{name[-1]}{number}")
        for number, name in enumerate(names)
    ]
    for name, identifier in zip(names, ids, strict=True):
        assert await found(customer, director, company=name, limit=1) == [identifier]
    assert len(await found(customer, director, company=ALIKE, limit=2)) == 2
    assert await found(customer, director, company=f"{ALIKE}第四{END}") == []


async def test_who_sees_some_files_alone_finds_a_contact_among_many_with_the_same_number(
    customer: Running, issuer: Issuer
) -> None:
    owner, other = issuer.bearer("u-1", "specialist"), issuer.bearer("u-2", "specialist")
    foreign = await opened(customer, other, ownerId="u-2")
    contact = {"name": "前台", "phone": SHARED}
    place = f"/v1/customers/{foreign}/contacts"
    assert (await customer.client.post(place, json=contact, headers=other)).status_code == 201
    contacts = customer.service.database["contacts"]
    known = await contacts.find_one({"owner": foreign})
    assert known is not None
    await contacts.insert_many(
        {"_id": f"of-{number}", "owner": f"file-{number}", "blind": known["blind"]} for number in range(MANY)
    )
    mine = await opened(customer, owner, ownerId="u-1", phone="13900139000", name="李明", company="西部电机有限公司")
    assert await found(customer, owner, phone=SHARED) == []
    place = f"/v1/customers/{mine}/contacts"
    assert (await customer.client.post(place, json=contact, headers=owner)).status_code == 201
    assert await found(customer, owner, phone=SHARED) == [mine]
    assert await found(customer, owner, phone=SHARED, name="前台", company="电机") == [mine]
    assert set(await found(customer, issuer.bearer("u-dir", "director"), phone=SHARED)) == {foreign, mine}
