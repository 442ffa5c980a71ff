"""Where the system listens that a tape is played to."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.tapes.errors import TapeError

DEFAULT_PREFIX = "manyi-"


@dataclass(frozen=True)
class Addresses:
    """Kafka's bootstrap servers and the base URL of every service by name."""

    kafka: str
    services: Mapping[str, str]
    processes: Mapping[str, str]
    """Every process of every service, by name; as `services` where no more is known."""

    @property
    def reporting(self) -> str:
        """Who answers for the figures. Raises TapeError when its address is not known."""
        if "reporting" not in self.services:
            raise TapeError("the address of the service reporting is not known")
        return self.services["reporting"]


def find_addresses(data: Path | None) -> Addresses:
    """MANYI_KAFKA and MANYI_SERVICES (JSON: name → URL) where both are set, else those of the running system.

    Raises TapeError for an unreadable MANYI_SERVICES and CannotContinue when nothing runs here.
    """
    kafka, services = os.environ.get("MANYI_KAFKA"), os.environ.get("MANYI_SERVICES")
    if kafka and services and data is None:
        known = _services(services)
        return Addresses(kafka, known, known)
    from deploy.local.state import running_system

    state = running_system(data)
    return Addresses(state.kafka, state.services, state.addresses)


def topic_prefix() -> str:
    """What comes before every topic's name (MANYI_TOPIC_PREFIX)."""
    return os.environ.get("MANYI_TOPIC_PREFIX", DEFAULT_PREFIX)


def _services(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise TapeError(f"MANYI_SERVICES is not JSON: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(url, str) for url in found.values()):
        raise TapeError('MANYI_SERVICES must be an object such as {"customer": "http://127.0.0.1:8101"}')
    return {name: url.rstrip("/") for name, url in found.items()}
