"""What was acknowledged: one line of JSON for each call, on disk before anybody relies on it."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Call = dict[str, Any]
"""One acknowledged call as the reference fold reads it: `kind`, `id`, and what counts of it."""


class Ledger:
    """Append-only. A line is there to stay when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self.count = 0

    def append(self, calls: Iterable[Call]) -> None:
        lines = [json.dumps(call, ensure_ascii=False).encode() + b"\n" for call in calls]
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.count += len(lines)

    def close(self) -> None:
        self._file.close()
