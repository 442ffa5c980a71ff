"""Pages drawn as PDF: Chinese and Latin text, no font file."""

import io
from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.lib.colors import grey, lightgrey
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from services.customer.views.pages import Listed

FONT = "STSong-Light"
"""One of Adobe's Asian fonts that every reader of PDF brings along or replaces: nothing is embedded or licensed."""
LABEL_MM, WIDTH_MM = 45, 170

pdfmetrics.registerFont(UnicodeCIDFont(FONT))
TITLE = ParagraphStyle("title", fontName=FONT, fontSize=18, leading=26, spaceAfter=8)
HEADING = ParagraphStyle("heading", fontName=FONT, fontSize=12, leading=18, spaceBefore=10, spaceAfter=4)
TEXT = ParagraphStyle("text", fontName=FONT, fontSize=10.5, leading=15, wordWrap="CJK")
GRID = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
SHADED = TableStyle([("BACKGROUND", (0, 0), (-1, 0), lightgrey)])


def printed(title: str, rows: Sequence[tuple[str, str]], tables: Sequence[Listed], footer: str) -> bytes:
    """See `pages.page`."""
    story: list[Flowable] = [_text(title, TITLE), _table([(label, value) for label, value in rows], LABEL_MM)]
    for one in tables:
        if one.rows:
            story += [_text(one.heading, HEADING), _table([one.columns, *one.rows], None)]
    story += [Spacer(1, 6 * mm), _text(footer, TEXT)]
    written = io.BytesIO()
    document = SimpleDocTemplate(
        written, pagesize=A4, title=_printable(title), invariant=1, leftMargin=20 * mm, rightMargin=20 * mm
    )
    document.build(story)
    return written.getvalue()


def _table(rows: Sequence[Sequence[str]], first_mm: float | None) -> Table:
    columns = len(rows[0])
    rest = WIDTH_MM / columns if first_mm is None else (WIDTH_MM - first_mm) / (columns - 1)
    widths = [(first_mm if number == 0 and first_mm is not None else rest) * mm for number in range(columns)]
    table = Table([[_text(cell, TEXT) for cell in row] for row in rows], colWidths=widths)
    table.setStyle(GRID)
    if first_mm is None:
        table.setStyle(SHADED)
    return table


def _text(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(_printable(text)), style)


def _printable(text: str) -> str:
    """Without control characters, and without those beyond the plane that the font's encoding reaches."""
    return "".join(one if one.isprintable() and ord(one) <= 0xFFFF else " " for one in text)
