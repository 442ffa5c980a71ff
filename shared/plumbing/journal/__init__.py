"""The write side: state and journal in one MongoDB transaction (ARCHITECTURE §4).

A state document is the fold of its journal, public and private part; both are written together or not at all.
A subject's `version` is the revision of its last event: replacing the document only where the version is still the
one that was read makes commit order and revision order the same.
"""

from shared.plumbing.journal.documents import head_of, part_of
from shared.plumbing.journal.drafts import Draft
from shared.plumbing.journal.ledger import DECIDED_WITHIN, Ledger
from shared.plumbing.journal.saying import EventTooLarge
from shared.plumbing.journal.tasks import OWNER, Aggregate, Cause, Loaded, Task
from shared.plumbing.journal.transaction import OutcomeUnknown, Stale, in_transaction

__all__ = [
    "DECIDED_WITHIN",
    "OWNER",
    "Aggregate",
    "Cause",
    "Draft",
    "EventTooLarge",
    "Ledger",
    "Loaded",
    "OutcomeUnknown",
    "Stale",
    "Task",
    "head_of",
    "in_transaction",
    "part_of",
]
