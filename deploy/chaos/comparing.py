"""Holding reporting's numbers and the topics against the reference fold."""

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.chaos.reference import Answer, expected
from deploy.chaos.topics import EVENTS, everything

COUNTS = ("responses?by=region", "purchases?by=region", "complaints_opened?by=category")
"""Questions whose groups count the calls themselves, each once."""
SETTLE_WITHIN_S = 180.0


@dataclass
class Difference:
    """What does not agree: calls too few, calls too many, cells that differ, and where."""

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    where: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


def differences(wanted: dict[str, Answer], found: dict[str, Answer]) -> Difference:
    """Too few and too many are counted over all time, group by group; cells that differ everywhere."""
    difference = Difference()
    for question, answer in wanted.items():
        told = found[question]
        for group in answer.keys() | told.keys():
            ours, theirs = answer.get(group, {"n": 0}), told.get(group, {"n": 0})
            if any(theirs.get(name, 0) != figure for name, figure in ours.items()):
                difference.wrong += 1
                difference.where.append(f"{question} [{group}]: expected {ours}, found {theirs}")
            if group and question in COUNTS:
                gap = ours["n"] - theirs["n"]
                difference.lost += max(0, gap)
                difference.doubled += max(0, -gap)
    return difference


async def numbers(reporting: str, questions: list[str]) -> dict[str, Answer]:
    """Reporting's answers, in the reference's form."""
    found: dict[str, Answer] = {}
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        for question in questions:
            response = await client.get(f"{reporting}/v1/metrics/{question}")
            response.raise_for_status()
            told = response.json()
            dimension = question.split("by=")[1].split("&")[0]
            answer = {"": figures(told["total"])}
            answer |= {group["dims"][dimension]: figures(group) for group in told["groups"]}
            found[question] = answer
    return found


def figures(told: dict[str, Any]) -> dict[str, int]:
    shown = {"n": told["n"], "count": told.get("count") or 0, "sum": told.get("sum") or 0}
    return {**shown, "amount": (told.get("amounts") or {}).get("CNY", 0)}


async def settled(reporting: str, ledger: Path, today: str, within: float = SETTLE_WITHIN_S) -> Difference:
    """The difference, as soon as there is none, or what is left of it when time is up."""
    wanted = expected(ledger, today)
    deadline = time.monotonic() + within
    while True:
        try:
            difference = differences(wanted, await numbers(reporting, list(wanted)))
        except httpx.HTTPError as error:
            difference = Difference(lost=1, where=[f"reporting does not answer: {type(error).__name__}"])
        if difference.nothing or time.monotonic() > deadline:
            return difference
        await asyncio.sleep(0.5)


def forked(kafka: str) -> list[str]:
    """Revisions of a subject that stand on a topic with two contents, or after a missing one (blocking)."""
    found = []
    for topic in EVENTS:
        contents: dict[str, dict[int, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        for _, value in everything(kafka, topic):
            try:
                told = json.loads(value or b"")
                contents[told["subject"]][told["revision"]].add(value or b"")
            except (ValueError, TypeError, KeyError, RecursionError):
                continue  # poison that was put there on purpose
        for subject, revisions in contents.items():
            many = [f"{subject} revision {number}: {len(told)}" for number, told in revisions.items() if len(told) > 1]
            missing = [f"{subject}: {len(revisions)} of {max(revisions)} revisions"]
            found += many + (missing if len(revisions) != max(revisions) else [])
    return found
