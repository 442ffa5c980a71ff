"""Every fault by its number in the plan: what does it once, and how often a run does it unless told otherwise."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.chaos import feeding, filling, killing, lying, operating, pausing
from deploy.chaos.scene import Scene


@dataclass(frozen=True)
class Fault:
    """`once` makes it happen under load and answers how many seconds later a call made since was counted."""

    name: str
    once: Callable[[Scene], Awaitable[float]]
    share: float
    """Of the cycles asked for; at least one. What takes long is done less often."""

    small_disks: bool = False
    """Whether it is made on a system of its own, whose brokers have small disks."""

    @property
    def says(self) -> str:
        return self.once.__doc__ or self.name


FAULTS = (
    Fault("F1", killing.kill_anywhere, 1.0),
    Fault("F1-transaction", killing.kill_in_transaction, 0.3),
    Fault("F1-raise", killing.fail_once, 0.2),
    Fault("F2", killing.kill_mongod, 0.2),
    Fault("F3", killing.kill_broker, 0.2),
    Fault("F3-restart", killing.restart_broker, 0.1),
    Fault("F4", pausing.zombie_consumer, 0.1),
    Fault("F5", pausing.zombie_relay, 0.1),
    Fault("F6", feeding.repeat, 0.1),
    Fault("F7", feeding.reorder, 0.1),
    Fault("F8", feeding.poison, 0.1),
    Fault("F9", feeding.foreign_version, 0.1),
    Fault("F10", lying.clock, 0.1),
    Fault("F11", filling.full_disk, 0.1, small_disks=True),
    Fault("F12", lying.storm, 0.05),
    Fault("F13", operating.count_anew, 0.1),
    Fault("F14", lying.move_offsets, 0.15),
    Fault("F15", operating.change_topic, 0.15),
    Fault("F16", lying.lose_token, 0.15),
    Fault("F17", pausing.stall_mongod, 0.1),
    Fault("F18", lying.doubt, 0.15),
    Fault("F19", killing.terminate, 0.2),
    Fault("F20", operating.put_back, 0.2),
)
