"""Reading the packs from their files, validated: the one place of this kit that touches the disk."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from shared.policy.low_score import LowScore
from shared.policy.pack import Pack
from shared.policy.permission.table import Roles
from shared.policy.policies import Policies

PACKS = Path(__file__).parent / "packs"
ROLES = Path(__file__).parent / "permission" / "roles.yaml"
_Form = TypeVar("_Form", bound=BaseModel)
OF_THEIR_OWN = frozenset({"low-score"})
"""Policies of another form, read by the rule they belong to."""


class PackUnsound(Exception):
    """A pack cannot be used; the text names the file and everything that is wrong with it."""


class _NoKeyTwice(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not the silent loss of the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping; raises for a key that stands twice."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_pack(path: Path) -> Pack:
    """The pack in a file. Raises PackUnsound, also when the file is named otherwise than its pack."""
    pack = _read(path, Pack)
    if pack.file != path.name:
        raise PackUnsound(f"{path.name} holds the pack {pack.pack}; name the file {pack.file}")
    return pack


def read_low_score(directory: Path = PACKS) -> LowScore:
    """When an answer is so bad that somebody must act. Raises PackUnsound."""
    return _read(directory / "low-score.yaml", LowScore)


def read_roles() -> Roles:
    """Who may do what. Raises PackUnsound, also for a role that stands twice."""
    return _read(ROLES, Roles)


def _read(path: Path, form: type[_Form]) -> _Form:
    try:
        return form.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=_NoKeyTwice))  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PackUnsound(f"{path.name} is no readable YAML: {error}") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, one['loc'])) or 'pack'}: {one['msg']}" for one in error.errors()]
        raise PackUnsound(f"{path.name} is unsound: {'; '.join(faults)}") from error


def pack_files(directory: Path = PACKS) -> list[Path]:
    """The files of the packs, in the order of their names."""
    return sorted(path for path in directory.glob("*.yaml") if path.stem not in OF_THEIR_OWN)


def read_policies(names: Sequence[str], directory: Path = PACKS) -> Policies:
    """The named packs, the most particular first. Raises PackUnsound, also for a pack that is not there."""
    packs = []
    for name in names:
        path = directory / f"{name}.yaml"
        if not path.is_file():
            known = ", ".join(file.stem for file in pack_files(directory)) or "none"
            raise PackUnsound(f"there is no pack {name} in {directory}; there are: {known}")
        packs.append(read_pack(path))
    return Policies(packs)
