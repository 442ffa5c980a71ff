"""How every service process starts. Importing is most of the time from a kill to being back (docs/chaos.md)."""

import gc
from importlib import import_module


def start(service: str) -> None:
    """Run one service until it is told to stop.

    What is imported and composed stays for good. To look for garbage in it again and again while it grows took a fifth
    of the time, so that begins when all is there, and leaves that out (see `serve`).
    """
    gc.disable()
    composition = import_module(f"services.{service}.main")
    from shared.plumbing.serving import serve

    serve(composition.build)
