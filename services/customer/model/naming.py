"""How names, phones and e-mails are compared: one normal form each. Pure; the originals stay as they were written."""

import re
import unicodedata

PART_LENGTH = 24
"""Signs of a part of an organisation's name that are kept for searching."""
_BETWEEN = re.compile(r"[\W_]+")
_WORD_OR_SIGN = re.compile(r"(?<![a-z0-9])[a-z0-9]|[^\sa-z0-9]")
_OUT_OF_CHINA = re.compile(r"^(?:\+|00)86(?=\d)")


def normal_name(name: str) -> str:
    """A person's name without spaces, dots, width and case: 欧阳 娜娜 and 欧阳·娜娜 are one."""
    return _BETWEEN.sub("", _folded(name))


def normal_phone(phone: str) -> str:
    """The digits of a number, without China's own prefix: +86 138-0013-8000 and 13800138000 are one."""
    return re.sub(r"\D", "", _OUT_OF_CHINA.sub("", re.sub(r"[\s\-().]", "", _folded(phone))))


def normal_email(email: str) -> str:
    """An address without surrounding space and case."""
    return _folded(email).strip()


def normal_company(name: str) -> str:
    """An organisation's name in one width and case, its words parted by one space."""
    return _BETWEEN.sub(" ", _folded(name)).strip()


def company_parts(name: str | None) -> list[str]:
    """Where a search may begin: at every word, and at every Chinese sign."""
    normal = normal_company(name or "")
    return sorted({normal[found.start() :][:PART_LENGTH] for found in _WORD_OR_SIGN.finditer(normal)})


def ends_of(part: str) -> list[str]:
    """What must begin one of a name's kept parts each, where the name contains this from one of them on.

    A part that is longer than what is kept is found by both its ends, since many names begin alike.
    """
    tails = [one for one in company_parts(part) if part.endswith(one)]
    return list(dict.fromkeys([part[:PART_LENGTH], *sorted(tails, key=len)[-1:]]))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
