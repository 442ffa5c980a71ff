"""When a customer was last spoken with, also in the files that are merged into this one (S1-17)."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.customer.model.customer import Customer


def spoken(state: "Customer", at: datetime) -> dict[str, Any]:
    """The fields of the file after a conversation then."""
    fields = {"contacted_at": max(state.contacted_at or at, at)}
    return fields | {"own_contacted_at": max(state.own_contacted_at or at, at)} if state.absorbed else fields


def joined(state: "Customer", merged_id: str, at: datetime | None) -> dict[str, Any]:
    """The fields of the survivor of a merge: what was said in the other file counts, too."""
    own = state.own_contacted_at if state.absorbed else state.contacted_at
    elsewhere = state.contacted_elsewhere if at is None else {**state.contacted_elsewhere, merged_id: at}
    last = max((one for one in (own, *elsewhere.values()) if one is not None), default=None)
    return {"own_contacted_at": own, "contacted_elsewhere": elsewhere, "contacted_at": last or state.contacted_at}


def parted(state: "Customer", merged_id: str) -> dict[str, Any]:
    """The fields of the survivor once a file is taken out again."""
    elsewhere = {name: at for name, at in state.contacted_elsewhere.items() if name != merged_id}
    last = max((one for one in (state.own_contacted_at, *elsewhere.values()) if one is not None), default=None)
    return {"contacted_elsewhere": elsewhere, "contacted_at": last or state.contacted_at}
