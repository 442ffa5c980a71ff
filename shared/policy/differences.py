"""What differs between two versions of a document, or between two packs (S0-43: the yearly review shows its diff)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared.policy.pack import Pack
from shared.policy.settings import Setting


class NoSuchVersion(ValueError):
    """The name is neither a pack nor pack/document/version; the text says which there are."""


@dataclass(frozen=True)
class Difference:
    """One key: before and after; None where a side does not speak of it."""

    key: str
    before: Setting | None
    after: Setting | None

    @property
    def kind(self) -> str:
        """added, removed, changed, or reworded when only the notes or clauses differ."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        plain = {"zh", "en", "clauses", "origin"}
        return (
            "reworded" if self.before.model_dump(exclude=plain) == self.after.model_dump(exclude=plain) else "changed"
        )


def named(name: str, packs: Sequence[Pack], on: date) -> Mapping[str, Setting]:
    """The settings of a pack as in force on a day, or of one version: `s0-enterprise`, `s0-enterprise/S0/1`."""
    editions = [edition for pack in packs for edition in pack.editions()]
    of_version = {f"{one.pack}/{one.document}/{one.version}": one.settings for one in editions}
    if name in of_version:
        return of_version[name]
    if name in {pack.pack for pack in packs}:
        latest = {one.document: one for one in editions if one.pack == name and one.effective_from <= on}
        return {key: setting for edition in latest.values() for key, setting in edition.settings.items()}
    known = ", ".join([*(pack.pack for pack in packs), *of_version])
    raise NoSuchVersion(f"there is no pack or version {name}; there are: {known}")


def differences(before: Mapping[str, Setting], after: Mapping[str, Setting]) -> list[Difference]:
    """Every key that is not the same on both sides, in the order of the keys."""
    found = [Difference(key, before.get(key), after.get(key)) for key in sorted({*before, *after})]
    return [one for one in found if one.before != one.after]
