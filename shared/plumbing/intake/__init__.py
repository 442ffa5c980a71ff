"""Taking in what other systems tell us: each fact once for ever, and every event answered (ARCHITECTURE §4).

An intake event ends as `accepted`, `duplicate`, `early` (kept until what it refers to arrives) or `rejected` (with a
reason; the payload sealed in `quarantine`). Receipts, early records and quarantine are written in the transaction of
the states and events they belong to, so a crash can neither lose nor double one.
"""

from shared.plumbing.intake.desk import PORTION, IntakeDesk
from shared.plumbing.intake.items import Heard, Understood

__all__ = ["PORTION", "Heard", "IntakeDesk", "Understood"]
