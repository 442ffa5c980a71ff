"""`manyi serve` and `manyi topics`: the pieces `up` is made of, for containers and for who runs Kafka elsewhere."""

import os
import sys
from typing import Annotated

import typer

from deploy.cli.screen import err
from deploy.local.trouble import CannotContinue


def serve(name: Annotated[str, typer.Argument(help="customer, survey, feedback or reporting.")]) -> None:
    """Run one service alone, with addresses from the environment.

    MANYI_KAFKA, MANYI_MONGO and MANYI_KEYS_FILE must be there; docs/configuration.md lists the rest.
    """
    from deploy.local.places import ROOT
    from deploy.local.ports import LOOPBACK, refuse_taken_port
    from deploy.local.system import PREFERRED_PORTS, require_service

    require_service(name)
    keys = "MANYI_KEYS" if os.environ.get("MANYI_KEYS") else "MANYI_KEYS_FILE"
    missing = [variable for variable in ("MANYI_KAFKA", "MANYI_MONGO", keys) if not os.environ.get(variable)]
    if missing:
        raise CannotContinue(f"{', '.join(missing)} must be in the environment: a service is told where everything is.")
    os.environ.setdefault("MANYI_HOST", LOOPBACK)
    port = os.environ.setdefault("MANYI_PORT", str(PREFERRED_PORTS.get(name, 8100)))
    if not port.isdigit():
        raise CannotContinue(f"MANYI_PORT must be a number, not {port!r}.")
    refuse_taken_port(int(port), name)
    os.environ["PYTHONPATH"] = str(ROOT)
    os.execv(sys.executable, [sys.executable, "-P", "-m", f"services.{name}"])  # noqa: S606 - signals reach the service itself


def topics() -> None:
    """Create the topics that are missing on MANYI_KAFKA.

    Of events and intake there are MANYI_PARTITIONS partitions each, 12 if it is not set.
    """
    import asyncio

    from deploy.local.topics import create_topics, plan_from_environment

    kafka = os.environ.get("MANYI_KAFKA")
    if not kafka:
        raise CannotContinue(
            "MANYI_KAFKA must name the Kafka to create topics on, for example MANYI_KAFKA=127.0.0.1:9092."
        )
    plan = plan_from_environment()
    created = asyncio.run(create_topics(kafka, plan))
    err.print(f"{len(created)} topics created, {len(plan) - len(created)} were there.")
