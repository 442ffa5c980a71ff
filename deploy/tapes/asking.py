"""Asking a service over HTTP, with numbers as exact decimals."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

from deploy.local.issuer import bearer
from deploy.tapes.errors import TapeError

_PATIENCE_SECONDS = 60


class Asking:
    """Keeps connections open between questions; close it, or use it in a `with` block."""

    def __init__(self) -> None:
        import httpx

        self._client = httpx.Client(timeout=_PATIENCE_SECONDS, trust_env=False, headers=bearer())
        self._failures = httpx.HTTPError

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON. Raises TapeError when there is none or it is not JSON, with what the service said."""
        try:
            answer = self._client.get(url, params=params)
        except self._failures as error:
            raise TapeError(f"{url} does not answer ({type(error).__name__})") from error
        if not answer.is_success:
            raise TapeError(f"{url} answers {answer.status_code}: {answer.text[:300]}")
        try:
            return json.loads(answer.text, parse_float=Decimal)
        except ValueError as error:
            raise TapeError(f"{url} does not answer JSON") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
