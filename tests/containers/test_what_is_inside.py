"""The containers from inside: users, rights, files, mounts, ports; and what the images hold."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from containers.engine import Engine
from containers.installation import SERVICES, Installation
from production.compose_file import read_compose

pytestmark = pytest.mark.containers

OURS = [name for name in SERVICES if name not in ("postgres", "redis")]
IMAGES = {"roi-forecast-services": "api-server", "roi-forecast-cpu": "worker-cpu"}
# Shared memory and message queues: in memory, of the container alone.
OF_THE_ENGINE = {"/dev/shm", "/dev/mqueue", "/proc", "/dev/pts"}


def sh(installation: Installation, service: str, command: str) -> str:
    return installation.compose("exec", "-T", service, "sh", "-c", command)


def distributions(installation: Installation, service: str) -> dict[str, str]:
    statement = (
        "import importlib.metadata as m, json\n"
        "names = {d.name.lower().replace('_', '-'): d.version for d in m.distributions()}\n"
        "print(json.dumps(names))"
    )
    found: dict[str, str] = json.loads(installation.python(service, statement))
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_process_has_no_rights_of_root(installation: Installation, service: str) -> None:
    status = dict(
        line.split(":", 1) for line in sh(installation, service, "cat /proc/1/status").splitlines()
    )
    users = set(status["Uid"].split())
    assert "0" not in users
    if service in OURS:
        assert users == {"10001"}
    for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


@pytest.mark.parametrize("service", SERVICES)
def test_only_volumes_and_memory_can_be_written(installation: Installation, service: str) -> None:
    definition = read_compose(installation.variables)["services"][service]
    allowed = {folder.split(":")[0] for folder in definition.get("tmpfs", [])} | OF_THE_ENGINE
    for volume in definition.get("volumes", []):
        _, target, *mode = volume.split(":")
        if "ro" not in mode:
            allowed.add(target)
    # /var/run is a link to /run.
    allowed |= {re.sub("^/var/run/", "/run/", folder) for folder in allowed}
    found = sh(
        installation,
        service,
        "find / -path /proc -prune -o -path /sys -prune -o -type d -writable -print || true",
    ).split()
    inside = [folder for folder in found if not any(is_in(folder, each) for each in allowed)]
    refused = [folder for folder in inside if can_write(installation, service, folder)]
    assert refused == []
    assert any(is_in(folder, each) for folder in found for each in allowed)


def is_in(folder: str, parent: str) -> bool:
    return folder == parent or folder.startswith(f"{parent}/")


def can_write(installation: Installation, service: str, folder: str) -> bool:
    answer = installation.compose.run(
        "exec", "-T", service, "sh", "-c", f"touch '{folder}/written' 2>/dev/null"
    )
    return answer.returncode == 0


@pytest.mark.parametrize("service", SERVICES)
def test_read_only_volumes_are_read_only(installation: Installation, service: str) -> None:
    definition = read_compose(installation.variables)["services"][service]
    for volume in definition.get("volumes", []):
        _, target, *mode = volume.split(":")
        assert can_write(installation, service, target) == ("ro" not in mode), target


@pytest.mark.parametrize("service", SERVICES)
def test_no_container_sees_the_engine_or_processes_of_others(
    installation: Installation, service: str
) -> None:
    names = sh(installation, service, "find / -name '*.sock' -type s 2>/dev/null || true")
    assert "docker" not in names
    assert "dockerd" not in sh(installation, service, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_only_the_api_server_can_be_reached_from_outside_and_only_on_this_machine(
    engine: Engine, installation: Installation
) -> None:
    ports = engine.docker("ps", "--format", "{{.Names}} {{.Ports}}").splitlines()
    published = [line for line in ports if "->" in line]
    assert len(published) == 1
    assert "api-server" in published[0]
    assert set(re.findall(r"(\S+):\d+->", published[0])) == {"127.0.0.1"}
    assert installation.request("GET", "/api/v2/dags")[0] == 401


def test_services_have_no_package_that_only_workers_need(installation: Installation) -> None:
    services, worker = (
        set(distributions(installation, name)) for name in ("api-server", "worker-cpu")
    )
    only_workers = {"tensorflow-cpu", "keras", "scikit-learn", "scipy", "yfinance", "tensorboard"}
    assert not only_workers & services
    assert only_workers <= worker
    assert services <= worker


@pytest.mark.parametrize("service", ["api-server", "worker-cpu"])
def test_image_has_no_installer_tests_headers_or_server_of_postgres(
    installation: Installation, service: str
) -> None:
    names = (
        "-name pip -o -name tests -o -name include -o -name '*.pyi' -o -name '*.h' -o -name initdb"
    )
    found = sh(installation, service, f"find /opt/roi/venv /usr/local/lib \\( {names} \\)").split()
    found = [path for path in found if ".dist-info/" not in path]
    assert found == []
    assert sh(installation, service, "which pip pip3 || true") == ""


@pytest.mark.parametrize("service", ["api-server", "worker-cpu"])
def test_every_module_of_the_project_loads_in_an_image_of_workers_and_its_own_in_the_other(
    installation: Installation, service: str
) -> None:
    roots = ["roi_web", "roi_production"]
    if service == "worker-cpu":
        roots += ["roi_forecast", "roi_airflow"]
    statement = (
        "import importlib, pkgutil\n"
        f"for root in {roots!r}:\n"
        "    package = importlib.import_module(root)\n"
        "    for module in pkgutil.walk_packages(package.__path__, root + '.'):\n"
        "        if '.migrations' not in module.name:\n"
        "            importlib.import_module(module.name)\n"
    )
    installation.python(service, statement)


@pytest.mark.parametrize("image", IMAGES)
def test_bill_of_materials_is_valid_and_names_every_package(
    engine: Engine, installation: Installation, image: str
) -> None:
    service = IMAGES[image]
    folder = "/opt/roi/bill-of-materials"
    text = sh(installation, service, f"cat {folder}/python.cdx.json")
    bill: dict[str, Any] = json.loads(text)
    version = SchemaVersion.from_version(bill["specVersion"])
    assert JsonStrictValidator(version).validate_str(text) is None
    listed = {
        each["name"].lower().replace("_", "-"): each["version"] for each in bill["components"]
    }
    installed = distributions(installation, service)
    assert {name: listed.get(name) for name in installed} == installed
    debian = sh(installation, service, f"cat {folder}/debian.tsv")
    assert re.search(r"^libc6\t\S+\tamd64\tglibc$", debian, re.MULTILINE) or "libc6" in debian
    labels = json.loads(engine.docker("inspect", "--format", "{{json .Config.Labels}}", image))
    assert labels["org.opencontainers.image.revision"] == sh(
        installation, service, 'printf %s "$ROI_CODE_REVISION"'
    )
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
