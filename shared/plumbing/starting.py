"""How every service process starts. Importing is most of the time from a kill to being back (docs/chaos.md)."""

import gc
from importlib import import_module

YOUNG_OBJECTS = 1_000_000
"""So many are made before one looks for garbage among them. The events in hand are some 300,000, and hardly any."""


def start(service: str, young_objects: int = YOUNG_OBJECTS) -> None:
    """Run one service until it is told to stop.

    What is imported and composed stays for good. To look for garbage in it again and again while it grows took a fifth
    of the time, so that begins when all is there, and leaves that out (see `serve`).
    """
    gc.disable()
    gc.set_threshold(young_objects, 20, 100)
    composition = import_module(f"services.{service}.main")
    from shared.plumbing.serving import serve

    serve(composition.build)
