"""Random calls that other systems would make, each with what its acknowledgement adds to the ledger."""

import random
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from deploy.chaos.ledger import Call

REGIONS = ("north", "south", "east", "west")
CATEGORIES = ("delivery", "quality", "invoice")
SOURCE = "chaos"
FIRST_DAY, DAYS = date(2026, 1, 1), 180


@dataclass(frozen=True)
class Plan:
    """One call: over which way to which service, what is said, and what then is true."""

    way: str
    """kafka: a record on the intake topic; events: CloudEvents over HTTP; command: a POST with an Idempotency-Key."""
    service: str
    key: str
    body: dict[str, Any]
    call: Call
    path: str = "/v1/intake"


@dataclass
class Caller:
    """Makes up calls, always the same for the same seed."""

    random: random.Random
    made: int = 0
    orders: list[tuple[str, str]] = field(default_factory=list)

    def next(self) -> Plan:
        """Mostly records on Kafka; a few calls over HTTP."""
        self.made += 1
        kind = self.random.choices(("response", "order", "cancel", "complaint"), (40, 35, 8, 17))[0]
        if kind == "cancel" and not self.orders:
            kind = "order"
        plan: Plan = getattr(self, f"_{kind}")(f"{kind}-{self.made}")
        return plan

    def probe(self, name: str, speaker: str) -> Plan:
        """A call to this speaker that can be asked for by itself: its channel is its name.

        Over the topic, since a process that stands still never answers over HTTP, whoever stands in for it.
        """
        kinds = {"survey": self._response, "customer": self._order, "feedback": self._received}
        return replace(kinds[speaker](name, {"channel": name}), way="kafka")

    def _response(self, name: str, dims: dict[str, str] | None = None) -> Plan:
        region, value = self.random.choice(REGIONS), self.random.randint(1, 5)
        answer = {"question": "q", "metric": "csat", "scale": [1, 5], "value": value}
        data = {
            "response": name,
            "customer": self._customer(),
            "answers": [answer],
            "dims": {"region": region, **(dims or {})},
        }
        return self._told("survey", "survey.answered", name, "response", data, {"region": region, "value": value})

    def _order(self, name: str, dims: dict[str, str] | None = None) -> Plan:
        customer, region, amount = self._customer(), self.random.choice(REGIONS), self.random.randint(1, 99_999)
        if dims is None:  # an order that is looked for is not cancelled
            self.orders.append((name, customer))
        data = {
            "customer": customer,
            "order": name,
            "amount": amount,
            "currency": "CNY",
            "dims": {"region": region, **(dims or {})},
        }
        facts = {"region": region, "amount": amount, "customer": customer}
        return self._told("customer", "order.placed", name, "order", data, facts)

    def _cancel(self, name: str) -> Plan:
        order, customer = self.orders.pop(self.random.randrange(len(self.orders)))
        data = {"customer": customer, "order": order}
        plan = self._told("customer", "order.cancelled", name, "cancel", data, {})
        return Plan(plan.way, plan.service, plan.key, plan.body, {**plan.call, "id": order})

    def _complaint(self, name: str) -> Plan:
        if self.random.random() < 0.3:
            category = self.random.choice(CATEGORIES)
            call = {"kind": "complaint", "id": name, "category": category}
            return Plan("command", "feedback", name, {"category": category}, call, "/v1/cases")
        return self._received(name)

    def _received(self, name: str, dims: dict[str, str] | None = None) -> Plan:
        category = self.random.choice(CATEGORIES)
        data = {"case": name, "customer": self._customer(), "category": category, **(dims or {})}
        return self._told("feedback", "complaint.received", name, "complaint", data, {"category": category})

    def _customer(self) -> str:
        return f"c{self.random.randrange(400)}"

    def _told(
        self, service: str, event: str, name: str, kind: str, data: dict[str, Any], facts: dict[str, Any]
    ) -> Plan:
        day = (FIRST_DAY + timedelta(days=self.random.randrange(DAYS))).isoformat()
        body = {
            "specversion": "1.0",
            "id": name,
            "source": SOURCE,
            "type": event,
            "time": f"{day}T04:00:00Z",
            "data": data,
        }
        way = "events" if self.random.random() < 0.1 else "kafka"
        key = str(data.get("customer", name))
        return Plan(way, service, key, body, {"kind": kind, "id": name, "day": day, **facts})
