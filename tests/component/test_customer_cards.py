"""The customer card and the card of a key customer, as PDF that says in Chinese what the file says."""

import io

import httpx
import pypdf
import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack


def printed(answer: httpx.Response) -> str:
    """The text of a PDF as a reader would show it, without line ends."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    pages = pypdf.PdfReader(io.BytesIO(answer.content)).pages
    return "".join(page.extract_text() for page in pages).replace("\n", "")


@pytest.mark.policy("S3-27", "S3-28")
async def test_cards_say_what_the_file_says_to_whom_it_concerns(customer: Running, issuer: Issuer) -> None:
    director, analyst = issuer.bearer("u-9", "director"), issuer.bearer("u-8", "analyst")
    specialist = issuer.bearer("u-1", "specialist")
    person = wang(address="浦东新区张江路 <8> 号", email="fang@example.com", ownerId="u-1")
    opened = await customer.client.post("/v1/customers", json=person, headers=director)
    assert opened.status_code == 201, opened.text
    path = f"/v1/customers/{opened.json()['customerId']}"
    li = {"name": "李敏", "post": "采购经理", "phone": "13900139000"}
    added = await customer.client.post(f"{path}/contacts", json=li, headers=director)
    contact = f"{path}/contacts/{added.json()['contactId']}/card"

    card = printed(await customer.client.get(f"{path}/card", headers=specialist))
    for word in ("客户关系卡", "姓名", "王芳", "华东精密仪器有限公司", "浦东新区张江路 <8> 号", "13800138000"):
        assert word in card
    of_li = printed(await customer.client.get(contact, headers=specialist))
    for word in ("李敏", "采购经理", "华东精密仪器有限公司", "13900139000"):
        assert word in of_li
    masked = printed(await customer.client.get(f"{path}/card", headers=analyst))
    assert "王*" in masked
    assert "13800138000" not in masked
    nobody = await customer.client.get(f"{path}/contacts/nobody/card", headers=specialist)
    assert (nobody.status_code, nobody.json()["type"]) == (404, "/problems/contact-unknown")

    early = await customer.client.get(f"{path}/key-card", headers=director)
    assert (early.status_code, early.json()["type"]) == (404, "/problems/no-key-customer")
    graded = await customer.client.post(f"{path}/grade", json={"grade": "A", "reason": "战略客户"}, headers=director)
    assert graded.status_code == 200, graded.text
    key_card = printed(await customer.client.get(f"{path}/key-card", headers=director))
    for word in ("重点客户资料卡", opened.json()["code"], "王芳", "李敏", "采购经理", "u-1"):
        assert word in key_card
    refused = await customer.client.get(f"{path}/key-card", headers=specialist)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/key-card-not-permitted")
    assert "director" in refused.json()["detail"]
