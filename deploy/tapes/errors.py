"""What a tape refuses, each as one sentence that a person can act on."""


class TapeError(Exception):
    """The tape, its data or the system it plays to cannot be used; the text says which and why."""


class RowError(TapeError):
    """One row cannot be mapped (an unreadable number or time): the row is left out and reported, the tape plays on."""
