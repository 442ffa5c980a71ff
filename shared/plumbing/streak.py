"""A cap on poison: so much of it in a row that the fault is more likely ours stops a subscriber, loudly."""

from collections.abc import Iterable


class TooManyDeadLetters(Exception):
    """So much poison in a row that the fault is more likely ours; nothing of it was set aside."""


class Streak:
    """How many unreadable records one subscriber has met without a readable one between."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = 0

    def after(self, records: Iterable[tuple[str, str | None]]) -> int:
        """The length behind these (place, why unreadable or None). Raises TooManyDeadLetters; remembers nothing."""
        length = self._length
        for place, unreadable in records:
            length = length + 1 if unreadable is not None else 0
            if length > self._most:
                raise TooManyDeadLetters(
                    f"more than {self._most} unreadable records in a row, the last one {place}: {unreadable}; "
                    "find out whether the speaker or this version is wrong, or raise MANYI_MAX_DEAD_LETTERS_IN_A_ROW"
                )
        return length

    def anew(self) -> "Streak":
        """One for when records may come again: what was met already is not to be counted twice."""
        return Streak(self._most)

    def goes_on(self, length: int) -> None:
        """The records that made it so long are dealt with."""
        self._length = length
