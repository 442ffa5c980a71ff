"""Which files are meant: the filters that lists and exports have in common."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from services.customer.desk import Desk
from shared.contracts.envelope import Code

SAME = ("grade", "region", "industry", "size", "lifecycle", "kind", "partner_id", "provisional")


@dataclass(frozen=True)
class Filter:
    """All that is given must hold."""

    grade: Code | None = None
    region: Code | None = None
    industry: Code | None = None
    size: Code | None = None
    lifecycle: Code | None = None
    kind: Code | None = None
    partner_id: Annotated[Code | None, Query(alias="partnerId")] = None
    provisional: bool | None = None
    merged: Annotated[bool, Query(description="With the files that are merged into others.")] = False
    core: Annotated[bool, Query(description="Core customers alone: by grade or by their key mark.")] = False

    def query(self, desk: Desk) -> dict[str, Any]:
        """The same as a MongoDB filter. Raises LimitUnset."""
        query: dict[str, Any] = {name: value for name in SAME if (value := getattr(self, name)) is not None}
        if not self.merged:
            query["merged_into"] = None
        if self.core:
            grades = desk.policies.value("customer.core.grades", desk.today()).value
            query["$or"] = [{"grade": {"$in": list(grades)}}, {"key_mark": True}]
        return query
