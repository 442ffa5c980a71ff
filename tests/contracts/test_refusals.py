"""Every refusal has a name of its own and a sentence that says what to do; each route's OpenAPI knows its status."""

import importlib
import re
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from services.customer.model.consenting import TO_DO
from services.customer.model.filing import Filing
from shared.contracts.catalogue import SPEAKERS
from shared.contracts.decision import TooEarly
from shared.plumbing.cloudevents import Malformed
from shared.plumbing.journal import OutcomeUnknown, Stale
from shared.plumbing.problems import problem_of
from shared.plumbing.serving import application
from tests.contracts.test_doors import OPEN, settings
from tests.support.refusals import kinds, raised, slug_of, status_of
from tests.unit.test_customer_lifecycle import ON
from tests.unit.test_policy_packs import POLICIES

VERBS = (
    "acknowledge add answer approve arrange ask assign begin call cancel change check choose close compare contact "
    "correct declare discard do drop end enter erase fill find finish fix follow get give go hand have import "
    "include install invite keep launch leave let list log look lower make merge move name note offer open patch "
    "pay pick plan post promise publish put raise ratify read record reduce register reject remove rename reopen "
    "repeat replace request resolve restart restore resume retry return review revoke run save say search see "
    "select send set settle shorten show sign split start state stop submit take tell try unmerge update upload use "
    "verify wait withdraw write"
)
"""How a clause begins that tells somebody to do something."""
SAYS_WHAT_TO_DO = re.compile(
    rf"(^|[;:,.] |\b(or|and|then) )((first|only) )?({VERBS.replace(' ', '|')})\b"
    r"|\bnothing (more )?to \w|\bha(s|ve) to\b|\b(needs|takes) |\bmissing: "
    r"|\b(there are|lists|has|must) (\{|them|those|what|the )|another holder|somebody else",
    re.IGNORECASE,
)
"""An instruction, what there is to choose from, what is missing, or that nothing needs to be done."""
ENDED_ELSEWHERE = {"TooEarly", "Malformed"}
"""What these are raised with says what is wrong; problems.py says what to do about all of them."""
WRITTEN_ELSEWHERE = {"FieldMalformed", "SendingNotPermitted"}
"""Their sentences stand in tables, which are looked at below."""
HANDED_ON = "shared/plumbing/problems.py"
"""Where refusals become problems, in the words they were raised with."""


def test_every_refusal_is_raised_somewhere_under_a_name_of_its_own() -> None:
    used = {one.kind for one in raised()}
    others = {base for kind in kinds().values() for base in kind.stands_on}
    assert sorted(set(kinds()) - used - others) == [], "raised nowhere: take them out"
    slugs = {name: slug_of(name) for name in kinds() if name not in ENDED_ELSEWHERE}
    assert [name for name, slug in slugs.items() if slug is None or not re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)] == []
    assert len(set(slugs.values())) == len(slugs) >= 150, "two kinds have one slug: a reader could not tell them apart"


def test_every_sentence_says_what_to_do() -> None:
    places = [one for one in raised() if one.kind not in ENDED_ELSEWHERE | WRITTEN_ELSEWHERE]
    looked_at = [one for one in places if one.sentence is not None or not one.where.startswith(HANDED_ON)]
    assert len(looked_at) >= 250
    assert [one for one in looked_at if one.sentence is None or not SAYS_WHAT_TO_DO.search(one.sentence)] == []
    wrong = {"kind": "x", "phone": "1", "credit_code": "91310000MA1K35LC6X"}
    malformed = Filing.of(POLICIES, ON).malformed(wrong)
    assert set(malformed) == set(wrong)
    assert [one for one in (*malformed.values(), *TO_DO.values()) if not SAYS_WHAT_TO_DO.search(one)] == []


@pytest.mark.parametrize(
    "error",
    [
        TooEarly("the order has not been placed yet"),
        Malformed("a CloudEvent is a JSON object"),
        HTTPException(404),
        HTTPException(405),
        OutcomeUnknown(),
        Stale(),
        RuntimeError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_answered_for_the_rest_says_it_too(error: Exception) -> None:
    problem = problem_of(error)
    assert problem.title
    assert SAYS_WHAT_TO_DO.search(problem.detail), problem.detail
    assert str(error) in problem.detail or isinstance(error, HTTPException | Stale | OutcomeUnknown | RuntimeError)


@pytest.mark.parametrize("name", SPEAKERS)
async def test_each_routes_openapi_knows_every_status_that_its_service_refuses_with(name: str, tmp_path: Path) -> None:
    service = importlib.import_module(f"services.{name}.main").build(settings(tmp_path))
    try:
        rooms = (f"services/{name}/", "shared/")
        statuses = {str(status_of(one.kind)) for one in raised() if one.where.startswith(rooms) and one.kind in kinds()}
        assert {"404", "409", "422"} <= statuses
        document = application(service).openapi()
        lacking = [
            (method, path, statuses - set(operation["responses"]))
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if path not in OPEN and not statuses <= set(operation["responses"])
        ]
        assert lacking == []
    finally:
        await service.client.close()
