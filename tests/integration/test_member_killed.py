"""A member of a group that was killed without a word does not hold up its successor for its whole session."""

import asyncio
import os
import signal
import sys

import pytest

from shared.plumbing.subscribing import SESSION_MS
from tests.support.eventually import eventually
from tests.support.listening_process import Telling, broker_with
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack


async def test_the_successor_of_a_killed_member_takes_over_before_the_session_ends(
    stack: RealStack, namespace: Namespace
) -> None:
    topic, group = f"{namespace.topic_prefix}survey-events", f"{namespace.topic_prefix}killed"
    await write(stack.kafka, topic, [(b"k", b"1")])
    command = [sys.executable, "-m", "tests.support.listening_process", stack.kafka, topic, group]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"taken\n"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    successor = Telling()
    broker = broker_with(stack.kafka, topic, group, successor)
    await write(stack.kafka, topic, [(b"k", b"2")])
    try:
        async with asyncio.timeout(SESSION_MS / 1000 - 3):  # more than that is waiting for the dead member
            await broker.start()
            await eventually(lambda: successor.taken, timeout=SESSION_MS / 1000)
    finally:
        await broker.stop()
