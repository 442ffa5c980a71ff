"""A changed definition is counted beside the old one; both can be asked."""

from functools import partial
from pathlib import Path

import pytest

from services.reporting.configuration import definitions
from services.reporting.main import build
from shared.contracts.customer import PurchaseRecorded
from tests.component.test_reporting import ask, moment, send
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller

pytestmark = pytest.mark.stack

OLD = definitions()[0]
NEW = OLD.model_copy(update={"version": OLD.version + 1, "in_force_from": "2026-06-01", "dormancy_days": 180})


async def test_dormancy_of_180_days_beside_365(stack: RealStack, namespace: Namespace, tmp_path: Path) -> None:
    """An order of 2026-01-10 keeps its customer active to 2026-07-09 by one, to 2027-01-10 by the other."""
    teller = Teller()
    summer = {"from": "2026-07-01", "to": "2026-10-01"}

    async def buys(customer: str) -> None:
        day = moment(1, 10)
        said = PurchaseRecorded(
            customer_id=customer, purchase_id=customer, amount=1, currency="CNY", occurred_at=day, dims={"source": "s"}
        )
        await send(stack, namespace, "customer", [teller.tell(customer, said, time=day)])

    async def lost(service: Running, **more: str) -> tuple[int, int]:
        total = (await ask(service, "logo_churn", **summer, **more))["total"]
        return total["count"], total["n"]

    async def of_old(service: Running, customers: int) -> bool:
        return await lost(service) == (0, customers)

    async def both(service: Running, customers: int) -> bool:
        by_old, by_new = [await lost(service, definition=one.label) for one in (OLD, NEW)]
        return (by_old, by_new) == ((0, customers), (customers, customers))

    settings = settings_for(stack, namespace, tmp_path)
    async with running(partial(build, counted=[OLD]), settings) as service:
        await buys("a")
        await eventually(lambda: of_old(service, 1), 30)
        assert (await service.client.get(f"/v1/metrics/logo_churn?definition={NEW.label}")).status_code == 404
    settings = settings_for(stack, namespace, tmp_path)
    async with running(partial(build, counted=[OLD, NEW]), settings) as service:
        await eventually(lambda: both(service, 1), 30)
        await buys("b")
        await eventually(lambda: both(service, 2), 30)
        assert (await ask(service, "logo_churn", **summer))["definition"] == NEW.label
        assert (await ask(service, "logo_churn", **summer, as_of="2026-05-31"))["definition"] == OLD.label
        assert await lost(service, as_of="2026-01-10", definition=NEW.label) == (2, 2)
        assert await lost(service, as_of="2026-01-10", definition=OLD.label) == (0, 2)
        assert await lost(service, as_of="2026-01-09", definition=NEW.label) == (0, 0)
