"""Undo patches between two states of a fact: the smallest mapping that leads from the newer back to the older."""

from typing import Any

from shared.plumbing.projection import Fact

Patch = dict[str, Any]
"""`put`: key → former value; `drop`: keys that were not there; `in`: key → patch of the mapping below it."""


def undo(older: Fact, newer: Fact) -> Patch:
    """The patch with `undone(newer, patch) == older`; empty when they are equal. Shares values with `older`."""
    put: dict[str, Any] = {}
    inner: dict[str, Patch] = {}
    for key, former in older.items():
        if key not in newer:
            put[key] = former
            continue
        present = newer[key]
        if present is former:
            continue
        if isinstance(former, dict) and isinstance(present, dict):
            below = undo(former, present)
            if below:
                inner[key] = below
        elif former != present:
            put[key] = former
    drop = [key for key in newer if key not in older]
    patch: Patch = {}
    if put:
        patch["put"] = put
    if drop:
        patch["drop"] = drop
    if inner:
        patch["in"] = inner
    return patch


def undone(newer: Fact, patch: Patch) -> Fact:
    """The older state; `newer` is left as it is."""
    older = dict(newer)
    for key in patch.get("drop", ()):
        del older[key]
    older.update(patch.get("put", {}))
    for key, below in patch.get("in", {}).items():
        older[key] = undone(older[key], below)
    return older
