"""Responses as facts, and what they count: one fact per SurveyResponded, its answers below it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from shared.contracts.envelope import Event
from shared.contracts.survey import Answer, SurveyResponded
from shared.plumbing.projection import Dims, Entry, Fact, Family, Heard, Own, Point, Row, Unfit

HIGHEST_INDEX = 1_000_000
"""100 points in 1/10,000 of a point."""
DISTINCT = 20_000
"""Different answers that are remembered: far more than questionnaires have, and no more than memory bears."""


class ResponseCount:
    """Responses by day, and their satisfaction index by scoring method."""

    name = "responses"
    rows = None

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return [(fact["dims"], fact)]

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        points = [("n", whole["day"], 1)]
        if whole["index"] is not None:
            points.append((f"index:{whole['scoring']}", whole["day"], 1))
            points.append((f"sum:{whole['scoring']}", whole["day"], whole["index"]))
        return points


class Ratings:
    """Answers by metric tag, scale and value: `csat:1~5:4`. An answer has its question and factor as dimensions."""

    name = "ratings"

    def rows(self, fact: Fact) -> tuple[Dims, Sequence[Row]]:
        day = fact["day"]
        return fact["dims"], [
            ((_asked(answer["question"], answer["factor"]), answer["rating"], day), 1) for answer in fact["answers"]
        ]

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return [
            ({**fact["dims"], **dict(_asked(answer["question"], answer["factor"]))}, answer)
            for answer in fact["answers"]
        ]

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        day = whole["day"]
        return [(answer["rating"], day, 1) for _, answer in part]


@lru_cache(maxsize=DISTINCT)
def _asked(question: str, factor: str | None) -> Own:
    return (("question", question),) if factor is None else (("question", question), ("factor", factor))


@lru_cache(maxsize=DISTINCT)
def _rated(question: str, factor: str | None, metric: str, low: int, high: int, value: int) -> Fact:
    """An answer as facts keep it. Facts that say the same share it: no fact is ever changed. Raises Unfit."""
    if not -100 <= low < high <= 100 or not low <= value <= high:
        raise Unfit("an answer's value lies outside its scale, or the scale outside -100..100")
    return {"question": question, "factor": factor, "rating": f"{metric}:{low}~{high}:{value}"}


class Responses:
    """Folds responses. A response is said once; should it be told again, the later telling replaces the earlier."""

    name = "responses"
    kind = SurveyResponded.SUBJECT
    hears: frozenset[type[Event]] = frozenset({SurveyResponded})

    def __init__(self) -> None:
        self.counted = ResponseCount()
        self.ratings = Ratings()
        self.families: Sequence[Family] = (self.counted, self.ratings)
        self._known: dict[int, tuple[Answer, Fact]] = {}
        """By the answer's identity, which is its own as long as it is kept here: whoever reads shares equal answers."""

    def fold(self, fact: Fact | None, heard: Heard) -> Fact:
        said = heard.said
        if not isinstance(said, SurveyResponded):
            raise Unfit("not about a response")
        if said.index is not None and not 0 <= said.index <= HIGHEST_INDEX:
            raise Unfit("an index lies between 0 and 100 points")
        dims = dict(said.dims)
        dims["mode"] = said.mode
        if said.product_line is not None:
            dims["product_line"] = said.product_line
        if said.campaign_id is not None:
            dims["campaign"] = said.campaign_id
        return {
            "day": heard.day(heard.time),
            "customer": said.customer_id,
            "dims": dims,
            "answers": [self._kept(answer) for answer in said.answers],
            "scoring": said.scoring,
            "index": said.index,
            "late": said.late,
        }

    def _kept(self, answer: Answer) -> Fact:
        known = self._known.get(id(answer))
        if known is None:
            if len(self._known) >= DISTINCT:
                self._known.clear()
            rated = _rated(answer.question, answer.factor, answer.metric, *answer.scale, answer.value)
            known = self._known[id(answer)] = (answer, rated)
        return known[1]
