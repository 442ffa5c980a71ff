"""What a foreign caller may call a request: only forms that cannot hide a name, a phone or an identity number."""

import re

_CORRELATION = re.compile(r"[0-9a-f]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def sane_correlation(offered: str | None) -> str | None:
    """The correlation id if it is a UUID or 32 hexadecimal digits, else None: it travels with every event."""
    return offered if offered is not None and _CORRELATION.fullmatch(offered) else None


def sane_trace(offered: str | None) -> str | None:
    """The W3C traceparent if it is one, else None."""
    return offered if offered is not None and _TRACEPARENT.fullmatch(offered) else None
