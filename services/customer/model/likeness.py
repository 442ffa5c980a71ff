"""When two files may be about the same customer: what brings a pair together, how alike it is, and why (S2-15). Pure.

Pairs are only compared where they share a mark (credit code, phone, e-mail, name of the organisation, address), so the
work grows with the number of files and not with its square. Likeness of names: Levenshtein ratio, whole and by words.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from rapidfuzz import fuzz

from services.customer.model.customer import Customer

COMPARED = ("credit_code", "company", "name", "phone", "email", "address")
_FORMS = re.compile(
    r"(股份有限公司|有限责任公司|集团有限公司|有限公司|公司|集团)$|"
    r"\b(limited|ltd|company|co|corporation|corp|incorporated|inc|llc|plc|gmbh|sa)\b"
)
_NO_WORD = re.compile(r"[\W_]+")
_ALIKE_ADDRESS = 90
_SAME_FORM = 85
_CONTRADICTED = 60


class Likeness(BaseModel):
    """How alike two files are, in percent, and the reasons as codes."""

    model_config = ConfigDict(frozen=True)
    score: int
    reasons: tuple[str, ...]


def plain_name(name: str) -> str:
    """An organisation's name without its legal form, case, width and punctuation; words stay apart."""
    text = unicodedata.normalize("NFKC", name).casefold()
    words = _NO_WORD.sub(" ", text).strip()
    return " ".join(_FORMS.sub("", words).split()) or words


def plain_phone(phone: str) -> str:
    """The digits of a number, without China's country code."""
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", phone))
    return digits[2:] if len(digits) == 13 and digits.startswith("86") else digits


def plain_text(text: str) -> str:
    """Letters and digits alone, without case and width."""
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


def marks(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a file shares with another about the same customer, as (kind, value); kept as blind tags alone."""
    if code := fields.get("credit_code"):
        yield "code", code.strip().upper()
    if phone := plain_phone(fields.get("phone") or ""):
        yield "phone", phone
    if email := (fields.get("email") or "").strip().casefold():
        yield "mail", email
    if company := plain_text(plain_name(fields.get("company") or "")):
        yield "name", company
    if address := plain_text(fields.get("address") or ""):
        yield "place", address


def marks_of(state: Customer) -> Iterator[tuple[str, str]]:
    """The marks of a file; one that is merged away is found by none."""
    return marks({} if state.merged_into else compared(state))


def compared(state: Customer) -> dict[str, Any]:
    """The fields of a file that are compared."""
    return {name: getattr(state, name) for name in COMPARED}


def likeness(one: Mapping[str, Any], other: Mapping[str, Any]) -> Likeness:
    """How alike two files are: the strongest evidence counts, and different credit codes outweigh it."""
    codes = {one.get("credit_code"), other.get("credit_code")}
    if None not in codes and len(codes) == 1:
        return Likeness(score=100, reasons=("same_credit_code",))
    names = _names(one, other)
    reasons = []
    scores = [names * _CONTRADICTED // 100]
    shared = {kind for kind, _ in set(marks(one)) & set(marks(other))}
    if shared & {"phone", "mail"}:
        reasons += [f"same_{kind}" for kind in sorted(shared & {"phone", "mail"})]
        scores.append(55 + 45 * names // 100)
    if _addresses(one, other) >= _ALIKE_ADDRESS:
        reasons.append("same_place")
        scores.append(40 + 50 * names // 100)
    if "name" in shared:
        reasons.append("same_name")
        scores.append(_SAME_FORM)
    elif names >= _CONTRADICTED:
        reasons.append("alike_name")
    score = max(scores)
    if None not in codes:
        return Likeness(score=min(score, _CONTRADICTED), reasons=("other_credit_code", *reasons))
    return Likeness(score=score, reasons=tuple(reasons))


def _names(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """Likeness of the names in percent; half where there is nothing to compare."""
    for kind in ("company", "name"):
        if one.get(kind) and other.get(kind):
            left, right = plain_name(one[kind]), plain_name(other[kind])
            return int(max(fuzz.ratio(plain_text(left), plain_text(right)), fuzz.token_sort_ratio(left, right)))
    return 50


def _addresses(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    left, right = plain_text(one.get("address") or ""), plain_text(other.get("address") or "")
    return fuzz.ratio(left, right) if left and right else 0
