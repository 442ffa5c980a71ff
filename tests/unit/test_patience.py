"""A reading that fails for a passing reason is begun anew; any other failure is told at once."""

import pytest
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from shared.plumbing import patience
from shared.plumbing.patience import patient

SNAPSHOT_GONE = OperationFailure("Unable to read from a snapshot due to pending collection catalog changes", 246)


class Shelf:
    """Fails so often before it answers."""

    def __init__(self, *failures: PyMongoError) -> None:
        self.failures = list(failures)

    @patient
    async def read(self, name: str) -> str:
        """What FastAPI shows."""
        if self.failures:
            raise self.failures.pop(0)
        return name


async def test_a_passing_failure_is_not_seen() -> None:
    shelf = Shelf(SNAPSHOT_GONE, AutoReconnect("connection closed"), SNAPSHOT_GONE)
    assert await shelf.read("csat") == "csat"
    assert not shelf.failures


async def test_any_other_failure_is_told_at_once() -> None:
    shelf = Shelf(OperationFailure("not authorized", 13), SNAPSHOT_GONE)
    with pytest.raises(OperationFailure, match="not authorized"):
        await shelf.read("csat")
    assert shelf.failures == [SNAPSHOT_GONE]


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 0.25)
    shelf = Shelf(*[SNAPSHOT_GONE] * 100)
    with pytest.raises(OperationFailure, match="snapshot"):
        await shelf.read("csat")
    assert shelf.failures


def test_a_route_keeps_its_name_and_text() -> None:
    assert Shelf.read.__name__ == "read"
    assert Shelf.read.__doc__ == "What FastAPI shows."
