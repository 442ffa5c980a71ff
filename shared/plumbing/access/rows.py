"""What a permit must know of a state to decide about it."""

from typing import Any, TypeVar

from shared.contracts.state import State
from shared.plumbing.database import Document
from shared.plumbing.journal import OWNER, Aggregate, Loaded
from shared.policy.permission.decision import Facts

S = TypeVar("S", bound=State)


def facts_in(aggregate: Aggregate[Any], document: Document) -> Facts:
    """The same facts of one subject from its stored head, which may still be closed."""
    if aggregate.owner is None:
        return Facts(document["_id"])
    owner = document.get(OWNER)
    return Facts(document["_id"], frozenset() if owner is None else frozenset({owner}), claimable=True)


def facts_of(aggregate: Aggregate[S], subject: str, loaded: Loaded[S]) -> Facts:
    """The facts of one subject as it is stored; one that does not exist yet is nobody's."""
    if aggregate.owner is None or loaded.state is None:
        return Facts(subject)
    owner = aggregate.owner(loaded.state)
    return Facts(subject, frozenset() if owner is None else frozenset({owner}), claimable=True)
