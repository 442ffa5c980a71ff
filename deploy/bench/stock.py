"""A stock of customers as another system hands it over: some are known from all sides, some are there twice."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from deploy.bench.events import DIMENSIONS, FIRST_DAY, choice, response, written
from deploy.bench.ground import Record
from shared.contracts.envelope import moment_text
from shared.plumbing.identity import Identity

SOURCE = "bench"
KNOWN_WELL, TWICE = 100, 50
"""Every hundredth customer has orders, people, conversations, answers and cases; of every fiftieth there is a copy."""
MOST_KNOWN_WELL = 2_000
"""Of a larger stock the first ones alone: nobody asks about more of them, and each is 45 events to be taken in."""
PLACES = ("上海", "苏州", "杭州", "宁波", "南京", "无锡", "常州", "青岛", "武汉", "成都")
SIGNS = "华东江海远大新光天宇恒信瑞丰嘉和盛达康泰金鼎明德博雅腾飞宏图正源中科联创卓越永兴"
TRADES = ("机械", "电子", "化工", "贸易", "物流", "仪器", "建材", "食品")
ORDERS, PEOPLE, CONVERSATIONS, ANSWERS, CASES = 12, 3, 5, 10, 2


@dataclass(frozen=True)
class Customer:
    """Customer number `number` of a seed; everything about it follows from these two."""

    seed: int
    number: int

    @cached_property
    def chance(self) -> random.Random:
        return random.Random(self.seed * 1_000_003 + self.number)  # noqa: S311 - reproducible, not secret

    @cached_property
    def fields(self) -> dict[str, Any]:
        """What is registered of it."""
        brand = "".join(self.chance.choices(SIGNS, k=4))
        return {
            "name": f"{self.chance.choice('王李张刘陈杨')}{self.chance.choice(SIGNS)}{self.chance.choice(SIGNS)}",
            "company": f"{self.chance.choice(PLACES)}{brand}{self.chance.choice(TRADES)}有限公司",
            "phone": f"13{self.number:09}",
            "email": f"c{self.number}@example.com",
            "address": f"{self.chance.choice(PLACES)}人民路 {self.number}",
            "lawfulBasis": "contract",
            **{name: choice(DIMENSIONS[name], self.chance) for name in ("grade", "region", "industry")},
        }

    @property
    def external_id(self) -> str:
        return f"K-{self.number}"

    @property
    def brand(self) -> str:
        """The middle of the organisation's name, that few share."""
        return str(self.fields["company"])[2:6]

    @property
    def known_well(self) -> bool:
        return self.number % KNOWN_WELL == 0 and self.number < KNOWN_WELL * MOST_KNOWN_WELL

    @property
    def twice(self) -> bool:
        return self.number % TWICE == TWICE // 2


def registrations(first: int, last: int, seed: int) -> Iterator[Record]:
    """The customers from number `first` to before number `last`, and copies of some under other ids."""
    for number in range(first, last):
        one = Customer(seed, number)
        yield _told("customer.registered", one.external_id, one.external_id, FIRST_DAY, one.fields)
        if one.twice:
            form = {
                "company": one.fields["company"].replace("有限公司", "股份有限公司"),
                "email": None,
                "address": None,
            }
            copy = {name: value for name, value in {**one.fields, **form}.items() if value is not None}
            yield _told("customer.registered", f"{one.external_id}+", f"{one.external_id}+", FIRST_DAY, copy)


def histories(first: int, last: int, seed: int, identity: Identity) -> Iterator[Record]:
    """What is told of those who are known well, by other systems and by the services for surveys and complaints."""
    for number in range(first, last):
        one = Customer(seed, number)
        if one.known_well:
            yield from _bought(one)
            yield from _spoken(one)
            yield from _answered(one, identity.customer(SOURCE, one.external_id))


def _bought(one: Customer) -> Iterator[Record]:
    key = one.external_id
    for order in range(ORDERS):
        at = FIRST_DAY + timedelta(days=20 * order + 1)
        body = {"order": f"{key}-o{order}", "amount": one.chance.randrange(1_000, 1_000_000), "currency": "CNY"}
        yield _told("order.placed", f"{key}-o{order}", key, at, body)
        yield _told("order.paid", f"{key}-p{order}", key, at, {"order": f"{key}-o{order}"})
    contract = {"contract": f"{key}-v", "monthlyAmount": 10_000, "currency": "CNY"}
    yield _told("contract.signed", f"{key}-v", key, FIRST_DAY + timedelta(days=1), contract)


def _spoken(one: Customer) -> Iterator[Record]:
    key = one.external_id
    for person in range(PEOPLE):
        body = {"contact": f"{key}-c{person}", "name": f"李{SIGNS[person]}", "phone": f"15{one.number:07}{person:02}"}
        yield _told("contact.registered", f"{key}-c{person}", key, FIRST_DAY, body)
    for talk in range(CONVERSATIONS):
        at = FIRST_DAY + timedelta(days=30 * talk + 2)
        body = {"interaction": f"{key}-i{talk}", "kind": "call", "channel": "phone", "note": "询问交期"}
        yield _told("interaction.logged", f"{key}-i{talk}", key, at, body)


def _answered(one: Customer, customer_id: str) -> Iterator[Record]:
    """Answers and complaints, as their services say it on the topics of their events."""
    for number in range(ANSWERS):
        at = FIRST_DAY + timedelta(days=25 * number + 3)
        yield "survey-events", *response(one.seed, one.number * ANSWERS + number, at, customer_id)
    for number in range(CASES):
        at, case = FIRST_DAY + timedelta(days=90 * number + 4), f"{one.external_id}-k{number}"
        opened = {"caseId": case, "customerId": customer_id, "channel": "phone", "desk": "outside", "dims": {}}
        opened["openedAt"] = moment_text(at)
        complaint = "manyi.complaint.opened.v1"
        yield "feedback-events", *written("feedback", complaint, one.chance, case, customer_id, at, at, opened)


def _told(type_: str, name: str, customer: str, at: datetime, data: dict[str, Any]) -> Record:
    """One CloudEvent on the customer service's intake."""
    body = {
        "specversion": "1.0",
        "id": name,
        "source": SOURCE,
        "type": type_,
        "time": moment_text(at),
        "data": {"customer": customer, **data},
    }
    return "customer-intake", customer.encode(), json.dumps(body).encode()
