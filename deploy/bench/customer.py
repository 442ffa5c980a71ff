"""Bench `customer`: a stock of customers taken in, then searched, seen from all sides, compared; a table imported."""

import asyncio
import csv
import io
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.bench.contest import resident_mb_of
from deploy.bench.ground import NEEDED_BYTES, Ground, ground, send
from deploy.bench.report import Line, Report, machine, rounded
from deploy.bench.running import Asking, Running, at_share, running
from deploy.bench.stock import KNOWN_WELL, SOURCE, TRADES, Customer, histories, registrations
from deploy.cli.screen import err
from deploy.local.trouble import CannotContinue
from shared.plumbing.identity import Identity

QUESTIONS = 200
"""Of each kind in a round."""
IMPORTED = 5_000
"""Rows of the table that is imported, all of them new customers."""
CACHE_GB = 4.0
"""Of mongod: a million customers with their journal and indexes are more than it keeps in memory elsewhere."""
BYTES_EACH = 8_000
"""On disk, of a customer and the log of both brokers."""
TAKING_IN = 2
"""Processes of the service while the stock is taken in; one answers the questions."""
STALLED_S = 300.0
TELL_EVERY_S = 30.0
LOOK_EVERY_S = 0.5
COMPARED_WITHIN_S = 7_200.0
COLUMNS = {"p50_ms": "p50, ms", "p99_ms": "p99, ms"}
SEARCH = "/v1/customers/search"
Question = tuple[str, dict[str, str]]


async def customer(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Take in `events` customers, ask `rounds` times. Raises CannotContinue when something stalls or is not found."""
    if only:
        raise CannotContinue("This bench has no peers: leave --only out.")
    async with ground(data_dir, CACHE_GB, NEEDED_BYTES + events * BYTES_EACH) as place:
        return await measure(place, seed, events, rounds)


async def measure(
    place: Ground, seed: int, events: int, rounds: int, questions: int = QUESTIONS, rows: int = IMPORTED
) -> Report:
    """On ground that stands."""
    identity = Identity(_installation_key(place))
    stock = events + sum(Customer(seed, number).twice for number in range(events))
    async with running(place, "customer", {"customer": TAKING_IN}) as service:
        began = time.monotonic()
        sending = asyncio.create_task(asyncio.to_thread(send, place, registrations(0, events, seed)))
        taken_s = await _until(service, "customers", stock) - began
        await sending
        err.print(f"  {stock:,} customers taken in, {stock / taken_s:,.0f}/s; now what is known of them …")
        told = await asyncio.to_thread(send, place, histories(0, events, seed, identity))
        settled_s = await _until_quiet(service, stock) - began
    async with running(place, "customer", {"customer": 1}) as service:
        await _until_quiet(service, stock)
        err.print(f"  {told:,} events about them; assessed and told of after {settled_s:,.0f} s; asking …")
        began = time.monotonic()
        asked = await asyncio.to_thread(_ask, service, Stock(seed, events, identity), questions, rounds)
        asked_s = time.monotonic() - began
        err.print(f"  asked for {asked_s:,.0f} s; comparing …")
        scan, scanned_s = await asyncio.to_thread(_scan, service)
        planted = stock - events
        if scan["candidates"] < planted:
            raise CannotContinue(
                f"{planted} customers are there twice, but only {scan['candidates']} pairs were found."
            )
        err.print(f"  compared: {scan['pairs']:,} pairs in {scanned_s:,.1f} s; importing …")
        imported_s = await asyncio.to_thread(_import, service, seed, events, rows)
        memory = _memory(service)
    facts = {
        "customers": stock,
        "events_about_them": told,
        "taken_in_s": rounded(taken_s),
        "customers_per_s": rounded(stock / taken_s),
        "processes_taking_in": TAKING_IN,
        "settled_s": rounded(settled_s),
        "asked_s": rounded(asked_s),
        "compared_s": rounded(scanned_s),
        "pairs_compared": scan["pairs"],
        "pairs_found": scan["candidates"],
        "planted": planted,
        "imported_rows_per_s": rounded(rows / imported_s),
        "mongod_cache_gb": CACHE_GB,
        **memory,
        "rounds": rounds,
    }
    return Report(
        "customer",
        "A stock of customers, over HTTP, one question after another",
        f"./manyi bench customer --seed {seed} --events {events} --rounds {rounds}",
        seed,
        COLUMNS,
        "p99_ms",
        [
            Line(name, {"p50_ms": at_share(seconds, 0.5), "p99_ms": at_share(seconds, 0.99)})
            for name, seconds in asked.items()
        ],
        facts,
        goals=(
            "view from all sides: p99 ≤ 20 ms",
            "search among 1,000,000 customers: p99 ≤ 50 ms",
            "1,000,000 customers compared in minutes",
            "a table imported at 500 rows/s",
        ),
        machine=machine(**place.versions),
    )


def _installation_key(place: Ground) -> bytes:
    keys = json.loads(Path(place.environment["MANYI_KEYS_FILE"]).read_text())
    return bytes.fromhex(keys["installation_key"])


async def _until(service: Running, collection: str, total: int) -> float:
    """Wait until so many documents are there and return when. Raises CannotContinue when nothing moves any more."""
    kept = service.database("customer")[collection]
    last, moved = -1, time.monotonic()
    began = told = moved
    while (done := kept.estimated_document_count()) < total:
        now = time.monotonic()
        if now - told > TELL_EVERY_S:
            told = now
            err.print(f"  {done:,} of {total:,} {collection} after {now - began:,.0f} s")
        if done != last:
            last, moved = done, now
        elif now - moved > STALLED_S:
            logs = service.place.data_dir / "logs"
            raise CannotContinue(
                f"{done} of {total} {collection} are there, and nothing moves; the logs are in {logs}."
            )
        await asyncio.sleep(LOOK_EVERY_S)
    return time.monotonic()


async def _until_quiet(service: Running, stock: int) -> float:
    """Wait until every record is taken, told of, and every file assessed; return when."""
    await _until(service, "qualities", stock)
    asking = Asking(service.address("customer"))
    moved, last = time.monotonic(), None
    while any(lag := asking.get("/v1/health", {})[1]["lag"].values()) or None in lag:
        if (now := list(lag)) != last:
            moved, last = time.monotonic(), now
        elif time.monotonic() - moved > STALLED_S:
            raise CannotContinue(f"The customer service lags by {last}, and nothing moves.")
        await asyncio.sleep(LOOK_EVERY_S)
    asking.close()
    return time.monotonic()


@dataclass(frozen=True)
class Stock:
    """Who was taken in, and how questions about them are put."""

    seed: int
    events: int
    identity: Identity
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - reproducible

    def any(self) -> Customer:
        return Customer(self.seed, self.chance.randrange(self.events))

    def known_well(self) -> Customer:
        return Customer(self.seed, KNOWN_WELL * self.chance.randrange(self.events // KNOWN_WELL or 1))

    def id_of(self, one: Customer) -> str:
        return self.identity.customer(SOURCE, one.external_id)

    def kinds(self, service: Running) -> dict[str, Callable[[], Question]]:
        """Kind of question → one of that kind."""
        heads = service.database("customer")["customers"]

        def code() -> str:
            return str(heads.find_one({"_id": self.id_of(self.any())}, {"code": 1})["code"])

        return {
            "from all sides, known well": lambda: (f"/v1/customers/{self.id_of(self.known_well())}/360", {}),
            "from all sides, any": lambda: (f"/v1/customers/{self.id_of(self.any())}/360", {}),
            "search by code": lambda: ("/v1/customers/by-code", {"code": code()}),
            "search by phone": lambda: (SEARCH, {"phone": str(self.any().fields["phone"])}),
            "search by part of a name": lambda: (SEARCH, {"company": self.any().brand}),
            "search by a frequent part": lambda: (SEARCH, {"company": self.chance.choice(TRADES)}),
        }


def _ask(service: Running, stock: Stock, count: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every answer by kind of question; the first tenth of each kind is asked before as well."""
    asking = Asking(service.address("customer"))
    found: dict[str, list[float]] = {}
    for name, kind in stock.kinds(service).items():
        questions = [kind() for _ in range(count)]
        for path, params in questions[: count // 10]:
            asking.get(path, params)
        seconds = found.setdefault(name, [])
        for path, params in questions * rounds:
            taken, answer = asking.get(path, params)
            if not answer:
                raise CannotContinue(f"{path} found nobody by {params}.")
            seconds.append(taken)
    asking.close()
    return found


def _scan(service: Running) -> tuple[dict[str, Any], float]:
    asking = Asking(service.address("customer"), COMPARED_WITHIN_S)
    seconds, answer = asking.post("/v1/duplicates/scans", b"", {"Idempotency-Key": "bench-scan"})
    asking.close()
    return answer, seconds


def _memory(service: Running) -> dict[str, float]:
    """Resident memory of mongod, where it is ours, and of the service."""
    pids = {"service": service.pids("customer")[0], **service.place.pids()}
    return {f"{name}_mb": rounded(resident_mb_of(pid)) for name, pid in pids.items() if name != "kafka"}


def _import(service: Running, seed: int, events: int, count: int) -> float:
    """Seconds until a table of new customers is in. Raises CannotContinue when rows were refused."""
    asking = Asking(service.address("customer"))
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["id", "name", "company", "phone", "needs", "lawfulBasis"])
    rows.writerows(_rows(seed, events, count))
    upload = {"content-type": "application/octet-stream", "Idempotency-Key": "bench-upload"}
    _, job = asking.post("/v1/imports", text.getvalue().encode(), upload)
    place, began = f"/v1/imports/{job['importId']}", time.monotonic()
    columns = {name: name for name in ("name", "company", "phone", "needs", "lawfulBasis")} | {"id": "externalId"}
    reading = {"columns": columns, "source": "bench-table"}
    asking.post(f"{place}/runs", reading, {"Idempotency-Key": "bench-run"})
    while (job := asking.get(place, {})[1])["state"] == "running":
        time.sleep(LOOK_EVERY_S)
    asking.close()
    if job["state"] != "done" or job["counts"].get("opened") != count:
        raise CannotContinue(f"Of {count} rows {job['counts']} became of the import, which is {job['state']}.")
    return time.monotonic() - began


def _rows(seed: int, events: int, count: int) -> Iterator[list[str]]:
    for number in range(10 * events, 10 * events + count):
        fields = Customer(seed, number).fields
        yield [f"T-{number}", fields["name"], f"{fields['company']}{number}", fields["phone"], "x", "contract"]
