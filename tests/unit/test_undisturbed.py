"""What is begun undisturbed ends before its cancellation is raised, unless it takes too long."""

import asyncio

import pytest

from shared.plumbing.undisturbed import undisturbed


class Start:
    """A client's start that waits to be answered."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.outcome = "begun"

    async def start(self) -> str:
        try:
            self.asked.set()
            await self.answer.wait()
            self.outcome = "started"
        except asyncio.CancelledError:
            self.outcome = "cut off"
            raise
        return "answer"

    async def refuse(self) -> str:
        await self.start()
        raise OSError("refused")


async def cancelled(start: Start, task: asyncio.Task[str]) -> None:
    await start.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_result_is_returned_and_what_is_raised_is_raised() -> None:
    start = Start()
    start.answer.set()
    assert await undisturbed(start.start()) == "answer"
    with pytest.raises(OSError, match="refused"):
        await undisturbed(start.refuse())


async def test_a_cancelled_start_is_ended_first() -> None:
    start = Start()
    task = asyncio.create_task(undisturbed(start.start(), longest_s=30))
    asyncio.get_running_loop().call_later(0.05, start.answer.set)
    await cancelled(start, task)
    assert start.outcome == "started"


async def test_what_a_cancelled_start_raises_gives_way_to_the_cancellation() -> None:
    start = Start()
    task = asyncio.create_task(undisturbed(start.refuse(), longest_s=30))
    asyncio.get_running_loop().call_later(0.05, start.answer.set)
    await cancelled(start, task)


async def test_a_start_that_nobody_answers_is_cut_off() -> None:
    start = Start()
    task = asyncio.create_task(undisturbed(start.start(), longest_s=0.05))
    await cancelled(start, task)
    assert start.outcome == "cut off"
