"""Versions of policies: announced as their day comes, and read by our people, by HTTP (S1-23)."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from services.customer.commands.acting import acting
from services.customer.desk import Desk
from services.customer.model.announced import Announced, acknowledge, announce
from services.customer.staffing import Staffing
from services.customer.views.policies import STORED, ShownPolicy, as_policy
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.plumbing.timers import fire
from shared.policy.approvals.acting import Acting
from shared.policy.pack import Version

ANNOUNCING_EVERY_S = 300.0


class PolicyReading(BaseModel):
    """That somebody read it, and whether there was a training."""

    model_config = ConfigDict(extra="forbid")
    trained: bool = False


class Announcements:
    """A chore, repeatable at any time: announces the versions whose day has come."""

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._ledger = ledger
        self._desk = desk

    async def step(self) -> int:
        """Answers how many were announced."""
        on = self._desk.day(self._ledger.clock.now())
        known = {one["_id"] for one in await self._ledger.database[STORED.collection].find({}, {"_id": 1}).to_list()}
        due = [
            (pack, document, version)
            for pack, document, version in versions(self._desk)
            if version.announced <= on and _edition(self._desk, pack, document, version) not in known
        ]
        await fire(self._ledger, [[self._announces(*one)] for one in due])
        return len(due)

    def _announces(self, pack: str, document: str, version: Version) -> Task[Announced]:
        edition_id = _edition(self._desk, pack, document, version)

        def rule(state: Announced | None, scene: Scene) -> Sequence[Said]:
            return announce(state, edition_id, pack, document, version, self._desk.day(scene.now), scene.now)

        return Task(STORED, edition_id, rule)


def versions(desk: Desk) -> Iterator[tuple[str, str, Version]]:
    """Pack, document and version of all that are in force now or will be."""
    today = desk.today()
    for pack in desk.policies.packs:
        for document in pack.documents:
            past = [one for one in document.versions if one.effective_from <= today]
            for version in (*past[-1:], *document.versions[len(past) :]):
                yield pack.pack, document.document, version


def routes(ledger: Ledger, desk: Desk, staffing: Staffing) -> APIRouter:
    """POST /v1/policies/{edition_id}/readings."""
    router = APIRouter(prefix="/v1/policies", tags=["policies"])

    @router.post(
        "/{edition_id}/readings",
        status_code=201,
        response_model=ShownPolicy,
        summary="Say that you read a version of a policy, or were trained in it",
        dependencies=[allowed("policy.acknowledge")],
    )
    async def post_reading(
        edition_id: Code,
        body: PolicyReading,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Announced | None, scene: Scene) -> Sequence[Said]:
            return acknowledge(state, who.person, body.trained, scene.now)

        holders = (await staffing.chart()).holders

        def shown(loaded: Loaded[Announced]) -> dict[str, Any]:
            return as_policy(desk, holders, loaded)

        return await carry_out(ledger, Task(STORED, edition_id, rule), request, shown)

    return router


def _edition(desk: Desk, pack: str, document: str, version: Version) -> str:
    return desk.identity.of("policy version", pack, f"{document}/{version.version}")
