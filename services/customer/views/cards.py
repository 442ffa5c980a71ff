"""客户关系卡 and 重点客户资料卡: the customer card of a person, and the own card of a key customer, to be printed."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends

from services.customer.commands.acting import acting
from services.customer.desk import Desk
from services.customer.model.contacts import ContactUnknown
from services.customer.model.customer import Customer
from services.customer.model.heard import cases, responses
from services.customer.model.parts import Contract, Purchase
from services.customer.views.customer_file import MASKS, Reading, as_file
from services.customer.views.pages import Listed, PdfResponse, page
from services.customer.views.sides import Sides, all_sides
from shared.contracts.decision import NotFound, Refusal
from shared.contracts.envelope import Code
from shared.plumbing.journal import Ledger
from shared.policy.approvals.acting import Acting
from shared.policy.permission.masking import masked

LABELS = {
    "name": "姓名 Name",
    "employer": "工作单位 Employer",
    "post": "职位 Post",
    "address": "住址 Address",
    "contact": "联系方式 Contact",
}
"""Fields that a policy may ask for on the card (S3-27), and what is printed before them."""
KEY_FIELDS = {
    "code": "客户编号 Code",
    "company": "单位 Company",
    "name": "姓名 Name",
    "phone": "电话 Phone",
    "email": "邮箱 E-mail",
    "address": "地址 Address",
    "grade": "等级 Grade",
    "lifecycle": "阶段 Stage",
    "industry": "行业 Industry",
    "region": "地区 Region",
    "size": "规模 Size",
    "creditCode": "统一社会信用代码 Credit code",
    "ownerId": "负责人 Owner",
    "needs": "需求 Needs",
    "preferences": "偏好 Preferences",
}
SHOWN_ORDERS = SHOWN_ANSWERS = 10


class NoKeyCustomer(NotFound):
    SLUG = "no-key-customer"


class KeyCardNotYours(Refusal):
    """Cards of key customers are kept apart (S3-28)."""

    STATUS = 403
    SLUG = "key-card-not-permitted"


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET …/card, …/contacts/{contact_id}/card and …/key-card of a customer."""
    router = APIRouter(prefix="/v1/customers", tags=["cards"])

    @router.get("/{customer_id}/card", response_class=PdfResponse, summary="Customer card (客户关系卡) as PDF")
    async def card(customer_id: Code, permit: Reading) -> PdfResponse:
        file = _file(desk, await all_sides(ledger, customer_id, permit))
        return _card(desk, file, file)

    @router.get(
        "/{customer_id}/contacts/{contact_id}/card",
        response_class=PdfResponse,
        summary="Card of a person at a customer (客户关系卡) as PDF",
    )
    async def contact_card(customer_id: Code, contact_id: Code, permit: Reading) -> PdfResponse:
        sides = await all_sides(ledger, customer_id, permit)
        people = {one["contactId"]: one for one in sides.shown(desk.clock.now())["contacts"]}
        if contact_id not in people:
            raise ContactUnknown(f"customer {customer_id} has no contact {contact_id}; list them with GET …/contacts")
        return _card(desk, _file(desk, sides), people[contact_id])

    @router.get(
        "/{customer_id}/key-card",
        response_class=PdfResponse,
        summary="Card of a key customer (重点客户资料卡) as PDF; for few roles alone",
    )
    async def key_card(
        customer_id: Code, permit: Reading, who: Annotated[Acting, Depends(acting(desk))]
    ) -> PdfResponse:
        readers = frozenset(desk.policies.value("card.key.readers", desk.today()).value)
        if not who.roles & readers:
            raise KeyCardNotYours(f"cards of key customers are for {', '.join(sorted(readers))}: ask one of them")
        sides = await all_sides(ledger, customer_id, permit)
        state = sides.loaded.state
        if state is None or not _is_key(desk, state):
            raise NoKeyCustomer(
                f"{customer_id} is no key customer: it takes the key mark or a core grade; its card is …/card"
            )
        return _key_card(desk, sides)

    return router


def _file(desk: Desk, sides: Sides) -> dict[str, Any]:
    return masked(as_file(desk, sides.loaded), MASKS, sides.fields)


def _is_key(desk: Desk, state: Customer) -> bool:
    return state.key_mark or state.grade in desk.policies.value("customer.core.grades", desk.today()).value


def _card(desk: Desk, file: dict[str, Any], person: dict[str, Any]) -> PdfResponse:
    """The card of a person: of the customer's, or of one who works there."""
    values = {
        "name": person.get("name"),
        "employer": file.get("company"),
        "post": person.get("post"),
        "address": file.get("address"),
        "contact": " ".join(one for one in (person.get("phone"), person.get("email")) if one),
    }
    fields = desk.policies.value("card.fields", desk.today()).value
    rows = [(LABELS[field], values[field] or "") for field in fields if field in LABELS]
    return _answer(file, "card", page("客户关系卡 Customer card", rows, [], _footer(desk, file)))


def _key_card(desk: Desk, sides: Sides) -> PdfResponse:
    file = _file(desk, sides)

    def day(moment: datetime) -> str:
        return f"{moment.astimezone(desk.zone):%Y-%m-%d}"

    people = [
        (*(one.get(field, "") for field in ("name", "post", "phone", "email")), " ".join(one["productLines"]))
        for one in sides.shown(desk.clock.now())["contacts"]
    ]
    orders = [
        (day(one.occurred_at), one.product_line or "", f"{one.amount:,} {one.currency}")
        for _, one in sides.parts["purchases"][:SHOWN_ORDERS]
        if isinstance(one, Purchase) and not one.void
    ]
    contracts = [
        (
            str(stored["_id"]),
            day(one.starts_at),
            "" if one.ends_at is None else day(one.ends_at),
            one.product_line or "",
        )
        for stored, one in sides.parts["contracts"]
        if isinstance(one, Contract)
    ]
    waiting = [(day(one.opened_at), one.kind, one.category or "", one.status) for one in cases(sides.told) if one.open]
    answers = [
        (day(one.at), *(str(one.data.get(score, "")) for score in ("nps", "csat", "ces")))
        for one in responses(sides.told)[:SHOWN_ANSWERS]
    ]
    tables = [
        Listed("联系人 Contacts", ("姓名 Name", "职位 Post", "电话 Phone", "邮箱 E-mail", "产品线 Lines"), people),
        Listed("订单 Orders", ("日期 Date", "产品线 Line", "金额（分） Amount (minor units)"), orders),
        Listed("合同 Contracts", ("编号 Id", "开始 From", "结束 Until", "产品线 Line"), contracts),
        Listed("未结工单 Open cases", ("日期 Date", "类型 Kind", "类别 Category", "状态 Status"), waiting),
        Listed("满意度 Satisfaction", ("日期 Date", "NPS", "CSAT", "CES"), answers),
    ]
    rows = [(label, str(file[field])) for field, label in KEY_FIELDS.items() if file.get(field)]
    return _answer(file, "key-card", page("重点客户资料卡 Key customer card", rows, tables, _footer(desk, file)))


def _footer(desk: Desk, file: dict[str, Any]) -> str:
    return f"{file['code']} · {desk.clock.now().astimezone(desk.zone):%Y-%m-%d %H:%M} · 仅供内部使用 Internal"


def _answer(file: dict[str, Any], name: str, content: bytes) -> PdfResponse:
    called = quote(f"{file['code']}-{name}.pdf")
    return PdfResponse(content, headers={"Content-Disposition": f"inline; filename*=UTF-8''{called}"})
