"""Everything named in docker-compose.yaml and the Dockerfile exists in this project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import conf

from production.compose_file import COMPOSE_FILE, read_compose, read_variables, words
from requirements_file import read_pins
from roi_forecast.price_sources import LIVE_SOURCES
from roi_forecast.settings import Settings, key_variable
from roi_local.environment import REPOSITORY, airflow_environment
from roi_local.postgres.programs import program
from roi_production.environment_file import SECRETS, SETTINGS
from roi_production.health import COMPONENTS
from roi_production.settings import Addresses

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
VALUES = {name: f"value-of-{name}" for name in SECRETS} | {
    name: value for name, (_, value) in SETTINGS.items()
}
COMPOSE: dict[str, Any] = read_compose(VALUES)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name in SERVICES if name not in ("postgres", "redis")]
WORKERS = [name for name in SERVICES if name.startswith("worker-")]


def environment(service: str) -> dict[str, str]:
    return SERVICES[service].get("environment") or {}


def option(service: str, name: str) -> str:
    command = words(SERVICES[service]["command"])
    return command[command.index(name) + 1]


def test_file_fits_the_schema_of_compose() -> None:
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


def test_every_secret_is_required_and_generated() -> None:
    required = {name for name, is_required in read_variables().items() if is_required}
    assert required == set(SECRETS)


def test_every_setting_of_the_generated_file_is_used() -> None:
    # Compose itself reads COMPOSE_PROFILES.
    assert set(SETTINGS) - {"COMPOSE_PROFILES"} <= set(read_variables())


def test_no_secret_is_written_into_the_files() -> None:
    text = COMPOSE_FILE.read_text(encoding="utf-8") + DOCKERFILE
    text = re.sub(r"\$\{\w+:(\?[^}]*|-)\}", "GIVEN", text.replace('"$$REDIS_PASSWORD"', "GIVEN"))
    for name, value in re.findall(r"(?i)(\w*(?:password|secret|_key))\"?[:=] *(\S+)", text):
        assert value.startswith("GIVEN"), name
    for user, password in re.findall(r"//(\w*):([^@\s]+)@", text):
        assert password == "GIVEN", user


@pytest.mark.parametrize("service", OURS)
def test_settings_of_airflow_exist(service: str) -> None:
    known = {
        (section, name)
        for section, content in conf.configuration_description.items()
        for name in content["options"]
    }
    for name in environment(service):
        if name.startswith("AIRFLOW__"):
            _, section, setting = name.lower().split("__")
            assert (section, setting) in known, name


@pytest.mark.parametrize("service", OURS)
def test_our_settings_are_read_by_the_code(service: str) -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / "include").rglob("*.py"))
    for name in environment(service):
        if name.startswith("ROI_") and name not in map(key_variable, LIVE_SOURCES):
            assert f'"{name}"' in code, name


def test_settings_shared_with_the_local_airflow_have_its_values(
    postgres: Any, tmp_path: Path
) -> None:
    from roi_local.environment import Home

    local = airflow_environment(Home(tmp_path), postgres, inherited={})
    shared = {
        "AIRFLOW__CORE__LOAD_EXAMPLES",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL",
        "SCARF_ANALYTICS",
        "TF_CPP_MIN_LOG_LEVEL",
    }
    for name in shared:
        assert environment("scheduler")[name] == local[name]


def test_services_see_only_their_share_of_the_secrets() -> None:
    def secrets_of(service: str) -> set[str]:
        text = str(environment(service))
        return {name for name in SECRETS if VALUES[name] in text}

    queue = {"REDIS_PASSWORD", "AIRFLOW_RESULTS_PASSWORD", "AIRFLOW_API_SECRET"}
    stages = queue | {"ROI_PIPELINE_PASSWORD", "ROI_POOL_READER_PASSWORD"}
    control = queue | {"AIRFLOW_DATABASE_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET"}
    assert secrets_of("worker-cpu") == secrets_of("worker-gpu") == stages
    for service in ("scheduler", "dag-processor", "triggerer"):
        assert secrets_of(service) == control
    assert secrets_of("api-server") == control | {"ROI_PAGES_PASSWORD"}
    assert secrets_of("tensorboard") == set()
    superuser = {name for name in SERVICES if "POSTGRES_PASSWORD" in secrets_of(name)}
    assert superuser == {"postgres", "init"}


def test_every_login_is_a_different_user() -> None:
    addresses = Addresses.from_environment(environment("init"))
    users = [url.username for url in vars(addresses).values()]
    assert len(set(users)) == len(users)
    assert {url.database for url in vars(addresses).values()} == {"postgres", "market", "airflow"}


def test_queues_are_those_of_the_dag() -> None:
    from daily_roi_forecast import daily_roi_forecast

    wanted = {task.queue for task in daily_roi_forecast().tasks}
    assert set(option("worker-cpu", "--queues").split(",")) == wanted
    assert option("worker-gpu", "--queues") == "gpu"


def test_one_setting_leaves_the_gpu_queue_to_the_gpu_worker() -> None:
    services = read_compose({**VALUES, "ROI_CPU_QUEUES": "default"})["services"]
    assert "--queues default " in services["worker-cpu"]["command"]


def test_gpu_worker_reserves_an_nvidia_device_and_only_starts_with_its_profile() -> None:
    worker = SERVICES["worker-gpu"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert worker["profiles"] == ["gpu"]
    assert worker["build"]["args"]["PACKAGES"] == "gpu"


@pytest.mark.parametrize("service", OURS)
def test_commands_exist(service: str) -> None:
    command = words(SERVICES[service]["command"])
    if command[0] == "airflow":
        from airflow.cli import cli_parser

        parsed = cli_parser.get_parser().parse_args(command[1:])
        assert callable(parsed.func)
    elif command[0] == "python":
        module = Path(*command[2].split(".")).with_suffix(".py")
        assert (REPOSITORY / "include" / module).is_file()
    else:
        assert (Path(sys.executable).parent / command[0]).is_file()


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "init"])
def test_every_lasting_service_has_a_health_check_and_starts_again(service: str) -> None:
    assert SERVICES[service]["restart"] == "unless-stopped"
    test = SERVICES[service]["healthcheck"]["test"]
    if "roi_production.health" in test:
        expected = "worker" if service in WORKERS else service
        assert test == ["CMD", "python", "-m", "roi_production.health", expected]
        assert expected in COMPONENTS


@pytest.mark.parametrize("service", list(SERVICES))
def test_every_service_has_limits(service: str) -> None:
    limits = SERVICES[service]["deploy"]["resources"]["limits"]
    # Compose refuses a file with `pids_limit` next to these.
    assert set(limits) == {"cpus", "memory", "pids"}
    assert "pids_limit" not in SERVICES[service]
    # The engine refuses to start a container that asks for more processors than there are.
    assert float(limits["cpus"]) <= 2
    assert 0 < limits["pids"] <= 4096


def test_a_larger_machine_gives_its_services_more_processors_by_one_setting() -> None:
    services = read_compose({**VALUES, "ROI_CPUS": "16"})["services"]
    for service in ("postgres", "api-server", *WORKERS):
        assert services[service]["deploy"]["resources"]["limits"]["cpus"] == "16"


@pytest.mark.parametrize("service", list(SERVICES))
def test_no_container_has_rights_of_root_or_writes_to_its_own_files(service: str) -> None:
    definition = SERVICES[service]
    assert definition["cap_drop"] == ["ALL"]
    assert definition["security_opt"] == ["no-new-privileges:true"]
    assert definition["read_only"] is True
    assert not {"cap_add", "privileged", "pid", "ipc", "devices"} & set(definition)


def test_postgres_and_redis_drop_root_as_our_image_does() -> None:
    assert [SERVICES[name]["user"] for name in ("postgres", "redis")] == ["postgres", "redis"]
    assert not {service for service in OURS if "user" in SERVICES[service]}


def writable_folders(service: str) -> set[str]:
    volumes = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    memory = {folder.split(":")[0] for folder in SERVICES[service].get("tmpfs", [])}
    return memory | {target for _, target, *mode in volumes if "ro" not in mode}


def test_each_service_can_write_where_it_has_to() -> None:
    for service in OURS:
        assert {"/tmp", "/var/lib/roi"} <= writable_folders(service)
    assert "ENV AIRFLOW_HOME=/var/lib/roi/" in re.sub(r"ENV (?:\S+ \\\s+)*", "ENV ", DOCKERFILE)
    (redis_folder,) = re.findall(r"dir (/\w+)", SERVICES["redis"]["command"][-1])
    assert writable_folders("redis") == {redis_folder}
    socket = "/var/run/postgresql"
    assert writable_folders("postgres") == {"/var/lib/postgresql", socket, "/tmp"}


def test_only_workers_and_the_job_that_restores_models_can_change_them() -> None:
    folder = environment("worker-cpu")["ROI_DATA_DIRECTORY"]
    readers = {
        name for name in SERVICES if f"data:{folder}:ro" in SERVICES[name].get("volumes", [])
    }
    writers = {name for name in SERVICES if folder in writable_folders(name)}
    assert writers == {"init", *WORKERS}
    assert readers == {"api-server", "tensorboard"}


def test_backup_finds_its_settings_in_the_job_init(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("init").items():
        monkeypatch.setenv(name, str(value))
    settings = Settings.from_environment()
    assert str(settings.data_directory) in writable_folders("init")


def test_every_process_of_airflow_can_read_a_universe_file() -> None:
    for name, service in SERVICES.items():
        if "ROI_UNIVERSE" in service.get("environment", {}) and name != "tensorboard":
            assert "csv:/var/lib/roi/csv:ro" in service["volumes"], name


def volumes_of(service: str) -> list[str]:
    volumes: list[str] = SERVICES[service].get("volumes", [])
    return volumes


def test_volumes_are_named_and_declared() -> None:
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert used == set(COMPOSE["volumes"])


def test_logs_are_one_volume_that_the_api_server_reads() -> None:
    folder = environment("api-server")["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    for service in ("api-server", *WORKERS):
        assert f"logs:{folder}" in SERVICES[service]["volumes"]
        assert environment(service)["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] == folder


def test_data_are_one_volume_that_all_workers_share() -> None:
    for service in WORKERS:
        assert f"data:{environment(service)['ROI_DATA_DIRECTORY']}" in SERVICES[service]["volumes"]
    models = option("tensorboard", "--logdir")
    assert models == f"{environment('worker-cpu')['ROI_DATA_DIRECTORY']}/models"


def test_copies_of_an_object_store_are_on_disk_where_the_code_looks_for_them() -> None:
    mode, folder = re.findall(r"--mode (\d+) (/tmp/\S+)", DOCKERFILE)[0]
    assert (mode, folder) == ("700", "/tmp/roi-cache-10001")  # see `roi_forecast.local_cache`
    reading = {name for name in SERVICES if "ROI_DATA_DIRECTORY" in environment(name)}
    assert reading == {name for name in SERVICES if f"copies:{folder}" in volumes_of(name)}


def test_ports_are_published_on_this_machine_only_and_lead_to_a_listening_command() -> None:
    for service in SERVICES:
        for published in SERVICES[service].get("ports", []):
            address, _, inside = published.split(":")
            assert address == "127.0.0.1"
            assert option(service, "--port") == inside
    execution = environment("worker-cpu")["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    assert execution == f"http://api-server:{option('api-server', '--port')}/execution/"


def test_services_named_by_others_exist() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        for value in (service.get("environment") or {}).values():
            for host in re.findall(r"(?:@|http://)([a-z-]+):\d+", str(value)):
                assert host in {*SERVICES, "localhost"}


def test_postgres_is_of_the_major_version_of_the_embedded_one() -> None:
    answer = subprocess.run([program("postgres"), "-V"], capture_output=True, text=True, check=True)
    (major,) = re.findall(r"PostgreSQL\) (\d+)\.", answer.stdout)
    assert SERVICES["postgres"]["image"].startswith(f"postgres:{major}.")
    # Up to version 17 the volume lay one folder deeper.
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


@pytest.mark.parametrize(
    ("name", "oldest"), [("postgres", (18, 6)), ("redis", (7, 2, 16)), ("python", (3, 11, 17))]
)
def test_images_are_pinned_to_a_patch_release_no_older_than_the_newest_known(
    name: str, oldest: tuple[int, ...]
) -> None:
    bases = set(re.findall(r"^ARG PYTHON_IMAGE=(\S+)", DOCKERFILE, re.MULTILINE))
    assert bases == {SERVICES[name]["build"]["args"]["PYTHON_IMAGE"] for name in OURS}
    (image,) = bases if name == "python" else {SERVICES[name]["image"]}
    pinned = re.fullmatch(rf"{name}:(\d+(?:\.\d+)+)(?:-slim)?-bookworm", image)
    assert pinned is not None, image
    version = tuple(map(int, pinned[1].split(".")))
    assert len(version) == len(oldest)
    assert version >= oldest


def test_every_image_can_be_named_with_its_digest() -> None:
    digest = "@sha256:" + 64 * "0"
    names = {f"{kind.upper()}_IMAGE": kind + digest for kind in ("python", "postgres", "redis")}
    services = read_compose({**VALUES, **names})["services"]
    assert services["postgres"]["image"] == names["POSTGRES_IMAGE"]
    assert services["redis"]["image"] == names["REDIS_IMAGE"]
    for name in OURS:
        assert services[name]["build"]["args"]["PYTHON_IMAGE"] == names["PYTHON_IMAGE"]
    froms = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert froms == {"${PYTHON_IMAGE}", "build", "packages"}


def test_dockerfile_copies_what_exists_and_ends_without_root() -> None:
    for group in packages_of_images().values():
        assert (REPOSITORY / f"requirements-{group}.txt").exists()
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.findall(r"^USER (\S+)$", last, re.MULTILINE) == ["roi"]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.replace("${PACKAGES}", "production").split():
            assert (REPOSITORY / source).exists(), source


def packages_of_images() -> dict[str, str]:
    """Return the group of packages of each image; two services of one image build it alike."""
    built = {name: SERVICES[name]["build"]["args"]["PACKAGES"] for name in OURS}
    images = {(SERVICES[name]["image"], group) for name, group in built.items()}
    assert len(dict(images)) == len(images)
    return dict(images)


def test_each_service_has_the_smallest_image_that_does_its_work() -> None:
    assert packages_of_images() == {
        "roi-forecast-services": "services",
        "roi-forecast-cpu": "production",
        "roi-forecast-gpu": "gpu",
    }
    with_tensorflow = {name for name in OURS if SERVICES[name]["image"] != "roi-forecast-services"}
    assert with_tensorflow == {*WORKERS, "tensorboard"}


def test_paths_of_the_images_are_those_of_the_compose_file() -> None:
    made = set(re.findall(r"/(?:opt|var/lib)/roi[\w/]*", DOCKERFILE))
    used = set(re.findall(r"(?<![\w.])/(?:opt|var/lib)/roi[\w/]*", str(SERVICES)))
    assert used - {"/var/lib/roi/data/models"} <= made


def test_images_install_only_packages_that_match_their_hashes() -> None:
    installed = re.findall(r"pip --python (.*?--requirement \S+)", DOCKERFILE, re.DOTALL)
    assert len(installed) == 2
    for options in installed:
        assert {"--require-hashes", "--no-deps"} <= set(options.split())
    assert len(re.findall(r"\bpip\b.* install\b", DOCKERFILE)) == 2


@pytest.mark.parametrize("name", ["services", "production", "gpu"])
def test_requirements_of_the_images_name_the_packages_of_their_group(name: str) -> None:
    names = {pin.name for pin in read_pins(REPOSITORY / f"requirements-{name}.txt")}
    assert {"apache-airflow-providers-celery", "apache-airflow-providers-fab", "statsd"} <= names
    assert ("keras" in names) == (name != "services")
    assert ("tensorflow-cpu" in names) == (name == "production")
    assert ("nvidia-cudnn-cu12" in names) == (name == "gpu")
