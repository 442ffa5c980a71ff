"""The load of bench `api`: so many connections, each sending the next command when the last one is answered.

A process of its own, told by its arguments: address, connections, commands. Prints the latencies as one JSON document.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import uvloop

STARTS_WITHIN_S = 120.0
CUSTOMERS = 2_000


async def main(url: str, connections: int, commands: int) -> None:
    await _ready(url)
    place = urlsplit(url)
    waiting = iter(range(commands))
    taken: list[float] = []
    await asyncio.gather(
        *(_connection(place.hostname or "", place.port or 0, waiting, taken) for _ in range(connections))
    )
    taken.sort()
    print(json.dumps({"p50_ms": _at(taken, 0.5), "p99_ms": _at(taken, 0.99)}))


async def _connection(host: str, port: int, waiting: Iterator[int], taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for number in waiting:
            writer.write(_request(number))
            sent = time.monotonic()
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length))
            taken.append(time.monotonic() - sent)
            if b" 201 " not in head[:16]:
                raise SystemExit(f"not recorded: {head[:16]!r} {body[:500]!r}")
    finally:
        writer.close()


def _request(number: int) -> bytes:
    dice = random.Random(number)  # noqa: S311 - a load that can be repeated, nothing secret
    command = {
        "kind": "complaint",
        "customer": {"source": "crm", "id": f"K-{dice.randrange(CUSTOMERS)}"},
        "channel": dice.choice(("phone", "web", "mail")),
        "category": dice.choice(("delivery", "quality", "invoice", "service")),
        "severity": dice.choice(("low", "high")),
        "text": "设备到货时外壳破损，请尽快处理。",
    }
    body = json.dumps(command).encode()
    head = f"POST /v1/cases HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def _ready(url: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"{url} does not become ready")
            await asyncio.sleep(0.2)


def _at(sorted_seconds: list[float], share: float) -> float:
    return round(1000 * sorted_seconds[min(len(sorted_seconds) - 1, int(len(sorted_seconds) * share))], 2)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
