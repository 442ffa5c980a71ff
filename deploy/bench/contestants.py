"""Who takes part in `projection` and `peers`: our service and the programs of `deploy/bench/peers`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.bench.contest import WARM_UP, WINDOW_S, Contestant, python
from deploy.bench.ground import PARTITIONS, Ground
from deploy.bench.peers import java
from deploy.bench.peers.environment import BYTEWAX, QUIX, interpreter
from deploy.bench.running import STANDING
from deploy.local.ports import free_port
from deploy.local.trouble import CannotContinue

EVENTS = "survey-events"
OURS = "Manyi reporting"
FACTS = f"{STANDING}.facts.responses"
SLOW_S = 15.0
BATCH = 2_000
"""Documents that every peer writes at once."""
NOTHING: Mapping[str, str] = {}


def ours(place: Ground, number: int, told: Mapping[str, str] = NOTHING) -> Contestant:
    """The service itself, as `manyi up` starts it, on a database of its own; `told` are settings of its."""
    prefix = f"{place.prefix}ours{number}-"
    return Contestant(
        OURS,
        python("services.reporting"),
        {
            **place.environment,
            "MANYI_DATABASE_PREFIX": prefix,
            "MANYI_INSTANCE": "reporting",
            "MANYI_PORT": str(free_port()),
            "MANYI_ZONE": "UTC",  # the peers cut days from the text of the times
            **told,
        },
        place.client[f"{prefix}reporting"][FACTS],
        "facts, changes and cells, exactly once in effect",
        keeps_cells=True,
    )


def _in(requirements: Sequence[str], module: str) -> Callable[[], list[str]]:
    return lambda: python(f"deploy.bench.peers.{module}", interpreter(requirements) if requirements else None)


@dataclass(frozen=True)
class Peer:
    """A program of `deploy/bench/peers`, and how it is run."""

    name: str
    command: Callable[[], list[str]]
    """How it is started; what that takes is fetched and compiled when it is asked for."""
    note: str
    write: str = ""
    """Which of its variants."""
    window_s: float = WINDOW_S
    inserts: bool = False
    """Whether it adds a document for each event instead of putting one in its place."""

    def contestant(self, place: Ground, number: int, natural_ids: bool = True) -> Contestant:
        """With a database, a group and a place for state of its own.

        Without `natural_ids` inserts leave the id to MongoDB, which otherwise refuses a redelivered one.
        """
        database = f"{place.prefix}{self.name.replace(' ', '-').lower()}{number}"
        state = place.data_dir / "state" / database
        state.mkdir(parents=True, exist_ok=True)
        return Contestant(
            self.name,
            self.command(),
            {
                "BENCH_KAFKA": place.kafka,
                "BENCH_MONGO": place.mongo,
                "BENCH_TOPIC": place.prefix + EVENTS,
                "BENCH_GROUP": f"{database}-group",
                "BENCH_DATABASE": database,
                "BENCH_WRITE": self.write,
                "BENCH_STATE": str(state),
                "BENCH_BATCH": str(BATCH),
                "BENCH_PARTITIONS": str(PARTITIONS),
                "BENCH_COMMIT_MS": "500",
                "BENCH_IDS": "natural" if natural_ids or not self.inserts else "database",
            },
            place.client[database]["responses"],
            self.note,
            self.window_s,
            WARM_UP if self.window_s == WINDOW_S else 0.0,
            repeats=self.inserts and not natural_ids,
        )


DOUBLES, AGAIN = "doubles on redelivery; no aggregates", "replace by id, at least once; no aggregates"
PEERS = (
    Peer("ceiling", _in((), "ceiling"), f"bare loop and insert_many; {DOUBLES}", inserts=True),
    Peer("upsert by hand", _in((), "upsert"), f"bulks of {AGAIN}"),
    Peer("FastStream default", _in((), "faststream_default"), "one by one; no aggregates", window_s=SLOW_S),
    Peer("Bytewax insert", _in(BYTEWAX, "bytewax_flow"), DOUBLES, "insert", inserts=True),
    Peer("Bytewax replace", _in(BYTEWAX, "bytewax_flow"), AGAIN, "replace"),
    Peer("Kafka Streams insert", java.streams, DOUBLES, "insert", inserts=True),
    Peer("Kafka Streams insert EOS", java.streams, f"exactly once in Kafka; {DOUBLES}", "insert-eos", inserts=True),
    Peer("Kafka Streams replace", java.streams, AGAIN, "replace"),
    Peer("Kafka Connect insert", java.connect, f"MongoDB's sink; {DOUBLES}", "Insert", inserts=True),
    Peer("Kafka Connect replace", java.connect, f"MongoDB's sink, {AGAIN}", "Replace"),
    Peer("Quix Streams", _in(QUIX, "quix_flow"), f"its own sink, {AGAIN}"),
)


def chosen(only: frozenset[str] | None) -> list[Peer]:
    """Those that take part. Raises CannotContinue when `only` names somebody unknown."""
    unknown = (only or frozenset()) - {known.name for known in PEERS}
    if unknown:
        raise CannotContinue(f"There is no peer {min(unknown)!r}: {', '.join(known.name for known in PEERS)}.")
    return [known for known in PEERS if only is None or known.name in only]
