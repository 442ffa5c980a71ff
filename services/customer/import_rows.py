"""Rows of an import: which customer each is about, and which rows before it are alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from services.customer.commands.register_customer import CustomerFields, own_id
from services.customer.desk import OWN_SOURCE, Desk
from services.customer.model.importing import Reading, Row, RowUnreadable, read_row
from services.customer.model.likeness import Likeness, likeness, marks
from shared.contracts.decision import Refusal
from shared.plumbing.cloudevents import problems_of


@dataclass(frozen=True)
class Read:
    """A row as read: which customer it is about, or why that cannot be told."""

    number: int
    row: Row | None
    subject: str | None
    reason: str | None = None

    @property
    def compared(self) -> tuple[str, Mapping[str, Any]]:
        """Which customer it is about, and what of it may be like another file's. Only of a row that can be read."""
        if self.row is None or self.subject is None:
            raise ValueError("a row that cannot be read is like no file")
        return self.subject, self.row.fields


class Newcomers:
    """Rows that open files which a search does not find yet: those of the chunk in hand, in a check all before it."""

    def __init__(self) -> None:
        self._by_mark: dict[tuple[str, str], list[tuple[Read, Mapping[str, Any]]]] = {}

    def like(self, fields: Mapping[str, Any], shown: int) -> list[tuple[Read, Likeness]]:
        """Earlier rows like these fields, the most alike first."""
        found = {one.number: (one, other) for mark in set(marks(fields)) for one, other in self._by_mark.get(mark, ())}
        alike = [(one, likeness(fields, other)) for one, other in found.values()]
        return sorted((one for one in alike if one[1].score >= shown), key=lambda one: (-one[1].score, one[0].number))

    def add(self, read: Read, fields: Mapping[str, Any]) -> None:
        for mark in set(marks(fields)):
            self._by_mark.setdefault(mark, []).append((read, fields))


def read(desk: Desk, number: int, columns: Sequence[str], cells: Sequence[str], reading: Reading) -> Read:
    """One row, with the customer whom its keys name; a code is still to be looked up."""
    try:
        row = read_row(columns, cells, reading)
        fields = CustomerFields.model_validate(dict(row.fields)).model_dump(exclude_unset=True)
        row = replace(row, fields=fields)
        if row.code is not None:
            return Read(number, row, None)
        own = row.external_id or own_id(desk, fields)
        if own is None:
            raise RowUnreadable(
                "nothing says which customer it is: give it a code, an externalId, a creditCode, or a name with a "
                "phone or an e-mail"
            )
    except ValidationError as error:
        return Read(number, None, None, problems_of(error))
    except Refusal as refusal:
        return Read(number, None, None, str(refusal))
    return Read(number, row, desk.identity.customer(row.source if row.external_id else OWN_SOURCE, own))


def placed(read: Read, by_code: Mapping[str, str], homes: Mapping[str, str]) -> Read:
    """The row with its file: by its code where it has one; a merged file stands for the one it is part of."""
    if read.row is None or (read.row.code is not None and read.row.code not in by_code):
        reason = read.reason or f"no customer has the code {read.row.code if read.row else ''}"
        return replace(read, row=None, reason=reason)
    subject = by_code[read.row.code] if read.row.code is not None else read.subject
    return replace(read, subject=homes.get(subject or "", subject))
