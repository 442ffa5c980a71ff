"""What the load of `manyi chaos` says."""

import random

from deploy.chaos.calls import Caller
from deploy.chaos.scene import SPEAKERS


def test_what_is_looked_for_goes_over_the_topic_and_can_be_told_from_all_else() -> None:
    caller = Caller(random.Random(2))
    probes = [caller.probe(f"probe-{number}", speaker) for number in range(100) for speaker in SPEAKERS]
    assert {plan.way for plan in probes} == {"kafka"}
    assert {caller.next().way for _ in range(1000)} > {"kafka", "events"}
