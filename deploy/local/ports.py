"""Loopback ports: which are free, and who holds the others."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.trouble import CannotContinue

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a listener could bind the port now; TIME_WAIT does not count, as servers set SO_REUSEADDR."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` different free ports; all are held while choosing, so that none is given twice."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for held in sockets:
            held.bind((LOOPBACK, 0))
        return [int(held.getsockname()[1]) for held in sockets]
    finally:
        for held in sockets:
            held.close()


@contextmanager
def claimed(port: int) -> Iterator[bool]:
    """Whether the port is free and no other system of this user, perhaps only just starting, has claimed it."""
    with (Path(tempfile.gettempdir()) / f"manyi-{os.getuid()}-port-{port}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield is_free(port)


def free_port() -> int:
    """Any free port."""
    return free_ports(1)[0]


def holder(port: int) -> str:
    """Who listens on the port: "pid 123 (java)", or "another process" where the system does not tell us."""
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS tells only root about other people's sockets
        return "another process"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
            try:
                name = psutil.Process(connection.pid).name()
            except psutil.NoSuchProcess:
                return "a process that has just ended"
            return f"pid {connection.pid} ({name})"
    return "another user's process"


def refuse_taken_port(port: int, what: str) -> None:
    """Raise CannotContinue naming the holder when the port is taken."""
    if not is_free(port):
        raise CannotContinue(
            f"Port {port} for {what} is in use by {holder(port)}: stop it, or choose another port with MANYI_PORT."
        )
