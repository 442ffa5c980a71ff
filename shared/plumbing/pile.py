"""The slips that stand and are ours to post: laid by small batches, posted together (see slips)."""

import uuid
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from shared.plumbing.cells import merge
from shared.plumbing.plan import Outcome
from shared.plumbing.slips import Rules, Slip, posted, together
from shared.plumbing.store import Writes
from shared.plumbing.store_documents import place_named


class Pile:
    """Slips by the partition that their shard is named after: who claims that one posts them."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._slips: dict[TopicPartition, list[Slip]] = {}

    def clear(self) -> None:
        """Nothing is known of what stands."""
        self._slips.clear()

    def drop(self, place: TopicPartition) -> None:
        """They are another's now."""
        self._slips.pop(place, None)

    def add(self, claimed: Mapping[TopicPartition, Sequence[Slip]]) -> None:
        """What stood at a claim."""
        self._slips.update({place: list(slips) for place, slips in claimed.items()})

    @property
    def records(self) -> int:
        """In all slips together."""
        return sum(slip.records for slip in self._standing)

    @property
    def ripe(self) -> list[Slip]:
        """All that stand, when it is time to post them or to lay them together."""
        standing = self._standing
        return standing if self._rules.are_ripe(standing) or self._rules.are_many(standing) else []

    def cleared(self, slips: list[Slip]) -> Writes:
        """What makes one slip of these, or none: they are posted once they hold enough, or too much for one."""
        if not self._rules.are_ripe(slips):
            slip = together(slips)
            if slip.sums <= self._rules.sums_together:
                return Writes(slip=slip, posted=slips)
        live, dated = posted([slip.added for slip in slips], slips[-1].shard)
        return Writes(live=live, dated=dated, posted=slips)

    @property
    def _standing(self) -> list[Slip]:
        return [slip for slips in self._slips.values() for slip in slips]

    def is_small(self, outcome: Outcome, records: int) -> bool:
        """Whether a batch of so many records may leave a slip; a larger one adds to the cells itself."""
        return self._rules.is_small(records, outcome.added)

    def may_lay(self, outcome: Outcome, records: int) -> bool:
        """Whether it may leave one beside those that stand."""
        return self.is_small(outcome, records) and self._rules.may_stand(records, self._standing)

    def lay(self, outcome: Outcome, records: int, shard: str) -> None:
        """Have a batch leave a slip; to be called just before the outcome's writes are committed."""
        if outcome.added:
            outcome.writes.slip = Slip(uuid.uuid4().hex, shard, records, outcome.added)

    def post(self, outcome: Outcome, records: int, shard: str) -> None:
        """Have a batch post all that stand; to be called just before the outcome's writes are committed."""
        writes, standing = outcome.writes, self._standing
        additions = [slip.added for slip in standing]
        if self.is_small(outcome, records):
            additions.append(outcome.added)
        for cells, more in zip((writes.live, writes.dated), posted(additions, shard), strict=True):
            for key, sums in more.items():
                merge(cells, key, sums)
        writes.posted = standing

    def settle(self, writes: Writes) -> None:
        """These writes are committed."""
        gone = {slip.id for slip in writes.posted}
        if gone:
            self._slips = {
                place: [slip for slip in slips if slip.id not in gone] for place, slips in self._slips.items()
            }
        if writes.slip is not None:
            self._slips.setdefault(place_named(writes.slip.shard), []).append(writes.slip)
