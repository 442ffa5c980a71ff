"""How this API writes what it shows."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

MAX_PAGE = 200


class Shown(BaseModel):
    """What this API answers: camelCase on the wire, absent where there is nothing to say."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    def as_json(self) -> dict[str, Any]:
        """The body of an answer."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
