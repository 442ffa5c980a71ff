"""A service's README lists every event it says: readers find there what the catalogue holds."""

import re
from collections.abc import Iterator

import pytest

from deploy.local.places import ROOT
from shared.contracts.catalogue import CATALOGUE

SAYS = re.compile(r"^\*\*Says\*\*.*?(?=^\*\*|\Z)", re.MULTILINE | re.DOTALL)
NAMES = re.compile(r"`([A-Z]\w+(?: / [A-Z]\w+)*)`")


def written_out(names: str, known: frozenset[str]) -> Iterator[str]:
    """`PurchaseRecorded / Paid`: what follows the first name replaces its end, from some capital letter on."""
    first, *rest = names.split(" / ")
    yield first
    beginnings = [first[: one.start()] for one in re.finditer("[A-Z]", first)]
    for end in rest:
        yield next((one + end for one in reversed(beginnings) if one + end in known), end)


@pytest.mark.parametrize("service", sorted({entry.speaker for entry in CATALOGUE.values()}))
def test_the_readme_of_a_service_lists_all_events_it_says_and_no_others(service: str) -> None:
    said = frozenset(entry.event.__name__ for entry in CATALOGUE.values() if entry.speaker == service)
    (listed,) = SAYS.findall((ROOT / "services" / service / "README.md").read_text(encoding="utf-8"))
    assert sorted(one for names in NAMES.findall(listed) for one in written_out(names, said)) == sorted(said)
