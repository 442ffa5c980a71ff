"""Responses as facts, and what they count: one fact per SurveyResponded, its answers below it."""

from collections.abc import Iterable, Sequence

from shared.contracts.envelope import Event
from shared.contracts.survey import SurveyResponded
from shared.plumbing.projection import Dims, Entry, Fact, Family, Heard, Point, Unfit

HIGHEST_INDEX = 1_000_000
"""100 points in 1/10,000 of a point."""


class ResponseCount:
    """Responses by day, and their satisfaction index by scoring method."""

    name = "responses"
    additive = True

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
    additive = True

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return [({**fact["dims"], **_asked(answer)}, answer) for answer in fact["answers"]]

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        day = whole["day"]
        return [(answer["rating"], day, 1) for _, answer in part]


def _asked(answer: Fact) -> Dims:
    asked = {"question": answer["question"]}
    if answer["factor"] is not None:
        asked["factor"] = answer["factor"]
    return asked


class Responses:
    """Folds responses. A response is said once; should it be told again, the later telling replaces the earlier."""

    name = "responses"
    kind = SurveyResponded.SUBJECT
    hears: frozenset[type[Event]] = frozenset({SurveyResponded})

    def __init__(self) -> None:
        self.counted = ResponseCount()
        self.ratings = Ratings()
        self.families: Sequence[Family] = (self.counted, self.ratings)

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
        answers = []
        for answer in said.answers:
            low, high = answer.scale
            if not -100 <= low < high <= 100 or not low <= answer.value <= high:
                raise Unfit("an answer's value lies outside its scale, or the scale outside -100..100")
            answers.append(
                {
                    "question": answer.question,
                    "factor": answer.factor,
                    "rating": f"{answer.metric}:{low}~{high}:{answer.value}",
                }
            )
        return {
            "day": heard.day(heard.time),
            "customer": said.customer_id,
            "dims": dims,
            "answers": answers,
            "scoring": said.scoring,
            "index": said.index,
            "late": said.late,
        }
