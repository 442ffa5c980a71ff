"""Of whom a table may tell that is made for a purpose, how many it leaves out, and why (S2-02, PIPL 13, 23, 38)."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query

from services.customer.desk import Desk
from services.customer.model.consenting import YES, Because, Purposes, may_send
from services.customer.model.consents import Consent, consent_id
from shared.contracts.envelope import Code
from shared.plumbing.database import Document
from shared.plumbing.journal import Ledger

COUNTED_AT_ONCE = 2_000
NEEDED = {"lawful_basis": 1, "erased_at": 1, "merged_into": 1, "blind": 1}
"""What decides about a file, which stays closed for it: whoever has a name, phone or e-mail has a tag."""
For = Annotated[
    Code | None,
    Query(description="What the table is made for, one of `consent.purposes`; `consent.export.purpose` without it."),
]
ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Manyi-Purpose": {"schema": {"type": "string"}, "description": "What the table was made for."},
            "Manyi-Left-Out": {
                "schema": {"type": "integer"},
                "description": "How many customers are not in the table, since their data must not be used for that.",
            },
            "Manyi-Left-Out-Because": {
                "schema": {"type": "string"},
                "description": "How many of them for which reason, such as `needs_consent=3, withdrawn=1`.",
            },
        }
    }
}


@dataclass(frozen=True)
class Leaving:
    """What a table is made for, and the policies by which people may be told of in it.

    A file that names nobody tells of an organisation, and always stays.
    """

    ledger: Ledger
    purpose: str
    policy: Purposes

    @classmethod
    def of(cls, ledger: Ledger, desk: Desk, named: str | None) -> "Leaving":
        """For a named purpose, or else for that of the policies. Raises LimitUnset, PurposeUnknown."""
        policy = Purposes.of(desk.policies, desk.today())
        purpose = named or str(desk.policies.value("consent.export.purpose", desk.today()).value)
        policy.check([purpose])
        return cls(ledger, purpose, policy)

    async def pages(self, chosen: Mapping[str, Any], at_once: int) -> AsyncIterator[list[Document]]:
        """The heads that match and may be told of, page by page; no page is empty."""
        async for documents in self._all(chosen, None, at_once):
            because = await self._because(documents)
            kept = [one for one, why in zip(documents, because, strict=True) if why in YES]
            if kept:
                yield kept

    async def headers(self, chosen: Mapping[str, Any]) -> dict[str, str]:
        """What the answer says of those it leaves out; who says no while it is being sent is left out uncounted."""
        counted: Counter[Because] = Counter()
        named = {"$and": [chosen, {"blind": {"$exists": True}}]}
        async for documents in self._all(named, NEEDED, COUNTED_AT_ONCE):
            counted.update(why for why in await self._because(documents) if why not in YES)
        told = {"Manyi-Purpose": quote(self.purpose), "Manyi-Left-Out": str(counted.total())}
        reasons = ", ".join(f"{why}={number}" for why, number in sorted(counted.items()))
        return {**told, "Manyi-Left-Out-Because": reasons} if reasons else told

    async def _because(self, documents: Sequence[Document]) -> list[Because]:
        """Why each may be told of, or may not; one that is merged into another by the word said there."""
        entries = [consent_id(one.get("merged_into") or one["_id"], self.purpose) for one in documents]
        found = await self.ledger.database["consents"].find({"_id": {"$in": entries}}).to_list()
        said = {one["_id"]: Consent.model_validate(one) for one in found}
        return [
            may_send(
                one.get("lawful_basis"), one.get("erased_at") is not None, said.get(entry), self.purpose, self.policy
            )
            if one.get("blind")
            else "covered"
            for one, entry in zip(documents, entries, strict=True)
        ]

    async def _all(
        self, chosen: Mapping[str, Any], fields: Mapping[str, int] | None, at_once: int
    ) -> AsyncIterator[list[Document]]:
        after = ""
        while True:
            behind = {"$and": [chosen, {"_id": {"$gt": after}}]}
            cursor = self.ledger.database["customers"].find(behind, fields).sort("_id", 1).limit(at_once)
            documents = await cursor.to_list()
            if not documents:
                return
            after = documents[-1]["_id"]
            yield documents
