"""A page for the printer: titles, rows of labels and values, tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.responses import Response


class PdfResponse(Response):
    """Bytes of a PDF."""

    media_type = "application/pdf"


@dataclass(frozen=True)
class Listed:
    """A table below a heading; nothing is printed of an empty one."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def page(title: str, rows: Sequence[tuple[str, str]], tables: Sequence[Listed], footer: str) -> bytes:
    """A4 pages as PDF; the same content gives the same bytes."""
    # The library takes a fifth of the time in which a process that was killed is back; most never print.
    from services.customer.views.printing import printed

    return printed(title, rows, tables, footer)
