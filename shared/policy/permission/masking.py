"""How a personal field looks to whoever may see that it is there, but not what it says (S2-21). Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.policy.permission.table import Fields

HIDDEN = "***"
Mask = Callable[[str], str | None]


def phone(value: str) -> str:
    """138****5678: the first three and the last four digits of a long number, of a shorter one the last two."""
    digits = [character for character in value if character.isdigit()]
    if len(digits) >= 11:
        return f"{''.join(digits[:3])}****{''.join(digits[-4:])}"
    return f"****{''.join(digits[-2:])}" if len(digits) > 4 else "****"


def person(value: str) -> str:
    """王*: the first character and nothing about the length of the rest."""
    return f"{value.strip()[:1]}*"


def email(value: str) -> str:
    """a***@example.com: whom it reaches stays hidden, where to is shown."""
    name, at, domain = value.rpartition("@")
    return f"{name[:1]}***@{domain}" if at and name else HIDDEN


def hidden(_value: str) -> str:
    """***: there is something."""
    return HIDDEN


def absent(_value: str) -> None:
    """Nothing: not even whether there is something."""
    return


def masked(shown: Mapping[str, Any], masks: Mapping[str, Mask], fields: Fields) -> dict[str, Any]:
    """A document with its personal fields (those that have a mask) as this much may be seen of them.

    full: as they are; masked: through their masks; none: left out.
    """
    if fields == "full":
        return dict(shown)
    seen: dict[str, Any] = {}
    for name, value in shown.items():
        mask = masks.get(name)
        if mask is None:
            seen[name] = value
        elif fields == "masked" and isinstance(value, str) and (left := mask(value)) is not None:
            seen[name] = left
    return seen
