"""Rules: versions of policies are announced before they take effect, and everybody says to have read them (S1-23)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.contracts import announcing as said
from shared.contracts.decision import NotFound, Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.policy.pack import Version


class PolicyVersionUnknown(NotFound):
    SLUG = "policy-version-unknown"


class PolicyReadAlready(Refusal):
    SLUG = "policy-read-already"


class Reader(BaseModel):
    """Who read it, and when last; `trained` once there was a training."""

    model_config = ConfigDict(frozen=True)
    by: str
    at: datetime
    trained: bool


class Announced(State):
    """A version that all our people are to read; days as YYYY-MM-DD."""

    edition_id: str
    pack: str
    document: str
    version_name: str
    announced: str
    effective_from: str
    readers: list[Reader] = []


def evolve(state: Announced | None, event: Event, _private: Mapping[str, Any]) -> Announced:
    """Fold one event into the state."""
    match event:
        case said.PolicyAnnounced():
            told = event.model_dump(mode="json")
            return Announced(version_name=told.pop("version"), **told)
        case said.PolicyRead():
            known = existing(state)
            others = [one for one in known.readers if one.by != event.by]
            reader = Reader(by=event.by, at=event.at, trained=event.trained)
            return known.model_copy(update={"readers": [*others, reader]})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a version of a policy")


def announce(
    state: Announced | None, edition_id: str, pack: str, document: str, version: Version, on: date, now: datetime
) -> list[Said]:
    """Have it read from the day of its announcement on; repeatable."""
    if state is not None or on < version.announced:
        return []
    event = said.PolicyAnnounced(
        edition_id=edition_id,
        pack=pack,
        document=document,
        version=version.version,
        announced=version.announced,
        effective_from=version.effective_from,
    )
    return [Said(event, now)]


def acknowledge(state: Announced | None, by: str, trained: bool, now: datetime) -> list[Said]:
    """Somebody read it, or was trained in it. Raises PolicyVersionUnknown, PolicyReadAlready."""
    known = existing(state)
    if any(one.by == by and (one.trained or not trained) for one in known.readers):
        raise PolicyReadAlready(
            f"{by} said so of version {known.version_name} of {known.document} already; there is nothing more to do"
        )
    about = known.model_dump(include={"edition_id", "pack", "document"})
    event = said.PolicyRead(**about, version=known.version_name, by=by, trained=trained, at=now)
    return [Said(event, now)]


def existing(state: Announced | None) -> Announced:
    """The version that was announced. Raises PolicyVersionUnknown."""
    if state is None:
        raise PolicyVersionUnknown("no such version was announced; GET /v1/policies lists those that were")
    return state
