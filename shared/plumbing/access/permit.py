"""The permit that a request carries: what its caller may do with the rows it meets, seeing which fields (S0-37)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.plumbing.audit.trail import Audit
from shared.plumbing.journal import OWNER
from shared.plumbing.problems import Problem
from shared.plumbing.telemetry import logger
from shared.policy.permission.decision import Allowed, Caller, Denied, Facts, Question
from shared.policy.permission.table import Fields, Version

log = logger("access")
WHY = {
    "unknown-action": "The roles table does not know this action, so nobody may do it.",
    "auditor-never-writes": "An auditor reads everything and changes nothing: ask a colleague to do it.",
    "requester-is-approver": "Whoever requested something cannot approve it: ask somebody else to.",
    "no-permission": "None of your roles has this permission: ask whoever gives you your roles.",
    "out-of-scope": "Your permission does not reach this row: ask for a grant with POST /v1/grants/requests.",
}


class Forbidden(Problem):
    """Somebody known asks for what he may not do; `permission` names what he lacks."""

    def __init__(self, action: str, denied: Denied) -> None:
        detail = f"{WHY[denied.reason]} It takes the permission {action}."
        super().__init__(403, "forbidden", "Not permitted", detail, permission=action, reason=denied.reason)


class Permit:
    """One caller's right to one action during one request. Every denial is audited, and every reading that must be."""

    def __init__(self, question: Question, correlation: str, audit: Audit | None) -> None:
        self._question = question
        self._correlation = correlation
        self._audit = audit
        self._telling: list[tuple[dict[str, Any], asyncio.Task[None]]] = []
        """What the audit must keep before the answer leaves, and the writing of it, which goes on beside the work."""
        self.decided = False
        """Whether any row, list or the whole was decided on; an answer without that must not leave."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self._question.caller

    @property
    def now(self) -> datetime:
        """When it was asked."""
        return self._question.now

    @property
    def table(self) -> Version:
        """The version of the roles table that decides."""
        return self._question.table

    @property
    def right(self) -> dict[str, str]:
        """By which right something is done."""
        question = self._question
        return {"actor": question.caller.subject, "action": question.action, "roles": question.table.version}

    def enter(self) -> None:
        """Raises Forbidden when no row at all could be permitted."""
        refused = self._question.refused()
        if refused is not None:
            raise self._forbidden(refused, ())

    def whole(self) -> None:
        """Decide on everything at once, for a route that does not look at rows: it shows and changes all of them.

        Raises Forbidden, also where the caller reaches every row but must not see all of its fields.
        """
        if self.on(Facts()) != "full":
            raise self._forbidden(Denied("out-of-scope"), ())

    def on(self, facts: Facts) -> Fields:
        """Decide on one row: how much of its personal fields may be seen. Raises Forbidden."""
        self.decided = True
        decision = self._question.may(facts)
        objects = () if facts.id is None else (facts.id,)
        if isinstance(decision, Denied):
            raise self._forbidden(decision, objects)
        self.read(objects, decision.fields)
        return decision.fields

    def page(self, rows: Sequence[Facts], **told: str) -> list[Fields]:
        """How much may be seen of each row of a list that `where` selected; `told` is kept beside it in the audit.

        Raises Forbidden for one out of reach.
        """
        decisions = [self._question.may(facts) for facts in rows]
        for denied in decisions:
            if isinstance(denied, Denied):
                raise self._forbidden(denied, ())
        shown = [decision.fields for decision in decisions if isinstance(decision, Allowed)]
        self.read(tuple(facts.id for facts in rows if facts.id is not None), "+".join(sorted(set(shown))), **told)
        return shown

    def where(self, owner: str = OWNER) -> dict[str, Any]:
        """The rows of a list that are within reach, as a MongoDB filter; `owner` names the field with the owner."""
        self.decided = True
        reach = self._question.reach()
        if reach.everything:
            return {}
        owners = sorted(reach.owners) + [None] * reach.unclaimed
        return {"$or": [{owner: {"$in": owners}}, {"_id": {"$in": sorted(reach.ids)}}]}

    def withhold(self) -> Forbidden:
        """The refusal of a route that promised to decide about rows and did not."""
        return self._forbidden(Denied("out-of-scope"), ())

    def read(self, objects: tuple[str, ...], fields: str, **told: str) -> None:
        """Have the audit tell that these were shown, if this action is one that is told of."""
        if objects and self._question.logged:
            self._note("read", objects, fields=fields, **told)

    def hit(self, objects: Sequence[str], fields: str) -> None:
        """Have the audit tell that these were shown, whatever the action: by one that is meant for something else."""
        if objects:
            self._note("read", tuple(objects), fields=fields)

    async def kept(self) -> None:
        """Returns when the audit keeps all that was decided until now. Raises database errors."""
        telling, self._telling = self._telling, []
        for _, writing in telling:
            await asyncio.shield(writing)

    def _note(self, decision: str, objects: tuple[str, ...], **more: str) -> None:
        if self._audit is None:
            return
        told = {"decision": decision, "objects": list(objects), "correlation": self._correlation, **more}
        line = {**self.right, **told}
        if all(line != known for known, _ in self._telling):  # a lost race has the same decided again
            self._telling.append((line, self._audit.begin([line])))

    def _forbidden(self, denied: Denied, objects: tuple[str, ...]) -> Forbidden:
        log.warning(
            "denied", actor=self.caller.subject, action=self._question.action, objects=objects, reason=denied.reason
        )
        self._note("denied", objects, reason=denied.reason)
        return Forbidden(self._question.action, denied)
