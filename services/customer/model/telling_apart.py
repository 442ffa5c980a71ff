"""Rules: two files that look alike are not the same customer, says somebody with a reason; or takes it back (S2-15)."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from shared.contracts import duplicates as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.state import Part

if TYPE_CHECKING:
    from services.customer.model.customer import Customer


class ToldApart(Part):
    """That this file and another are two customers, who said so, when and why."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"reason"})
    other_id: str
    by: str
    at: datetime
    reason: str | None = None


class PairUnknown(NotFound):
    SLUG = "pair-unknown"


class OneFileOnly(Invalid):
    SLUG = "one-file-only"


class ToldApartAlready(Refusal):
    SLUG = "told-apart-already"


class NotToldApart(Refusal):
    SLUG = "not-told-apart"


def pair_of(one: str, other: str) -> tuple[str, str]:
    """The two ids in the order by which a pair is known. Raises OneFileOnly."""
    if one == other:
        raise OneFileOnly("a file and itself are no pair; name two files")
    return (one, other) if one < other else (other, one)


def pair_id(first: str, second: str) -> str:
    """The name of a pair."""
    return f"{first}|{second}"


def told_apart(state: "Customer", event: said.LikenessEvent, private: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the file that an event about a pair changes."""
    others = {name: one for name, one in state.told_apart.items() if name != event.pair_id}
    if isinstance(event, said.FilesToldApart):
        others[event.pair_id] = ToldApart.model_validate({**event.model_dump(), **private})
    return {"told_apart": others}


def tell_apart(first: "Customer | None", second: "Customer | None", by: str, reason: str, now: datetime) -> list[Said]:
    """The two are not the same. Raises PairUnknown, ToldApartAlready."""
    ours, theirs, name = _both(first, second)
    if name in ours.told_apart:
        raise ToldApartAlready(
            f"{ours.code} and {theirs.code} were told apart by {ours.told_apart[name].by} before; "
            "there is nothing more to do"
        )
    event = said.FilesToldApart(**_about(ours, theirs, name), by=by, at=now)
    return [Said(event, now, {"reason": reason})]


def reconsider(first: "Customer | None", second: "Customer | None", by: str, reason: str, now: datetime) -> list[Said]:
    """The two may be the same after all. Raises PairUnknown, NotToldApart."""
    ours, theirs, name = _both(first, second)
    if name not in ours.told_apart:
        raise NotToldApart(f"nobody has told {ours.code} and {theirs.code} apart; there is nothing to take back")
    event = said.FilesReconsidered(**_about(ours, theirs, name), by=by, at=now)
    return [Said(event, now, {"reason": reason})]


def _both(first: "Customer | None", second: "Customer | None") -> "tuple[Customer, Customer, str]":
    if first is None or second is None:
        raise PairUnknown("one of the two files does not exist; GET /v1/duplicates lists pairs")
    return first, second, pair_id(first.customer_id, second.customer_id)


def _about(ours: "Customer", theirs: "Customer", name: str) -> dict[str, Any]:
    dims = ours.dims_now("manyi", {}, None)
    return {"customer_id": ours.customer_id, "other_id": theirs.customer_id, "pair_id": name, "dims": dims}
