"""The files in kubernetes/ fit the schemas of Kubernetes and say what docker-compose.yaml says.

With CHART, the path of Airflow's chart, Helm renders them, and all objects are checked too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import airflow
import kubernetes_validate
import pytest
import yaml

from production import kubernetes_pods as kubernetes
from production.compose_file import read_compose, words
from roi_local.environment import REPOSITORY
from roi_production.environment_file import SECRETS, SETTINGS
from roi_production.training_pod import TRAINING_POD_VARIABLE, training_arguments

CHART = os.environ.get("ROI_CHART", "")
OLDEST, NEWEST = "1.32", "1.37"
"""Versions of Kubernetes whose schemas the objects fit."""

VALUES = {name: f"value-of-{name}" for name in SECRETS} | {
    name: value for name, (_, value) in SETTINGS.items()
}
SERVICES: dict[str, Any] = read_compose(VALUES)["services"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
VARIANTS = [(), ("gpu",), ("object-store",), ("gpu", "object-store")]
DATA = "/var/lib/roi/data"

Pods = dict[str, dict[str, Any]]

ELSEWHERE = {
    "AIRFLOW__CORE__EXECUTOR": "the chart sets it",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "the chart names its Service",
    "AIRFLOW__CORE__DAGS_FOLDER": "dags.mountPath",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "the folder logs of airflowHome",
    r"AIRFLOW__CELERY__.*": "there is no Celery",
    r"AWS_.*": "values-object-store.yaml, or the Secret roi-settings",
    r"(AIRFLOW__METRICS__|OTEL_).*": "statsd and otelCollector of the chart",
    r"ROI_(NOTIFIER|NOTIFIER_ARGUMENTS|DEADLINE_MINUTES|PUBLISH|UNIVERSE|CSV_FILE_MIB"
    r"|TWELVE_DATA_KEY)": "optional: the Secret roi-settings",
}
"""Variables of docker-compose.yaml that the values do not set, and where they are instead."""


def of_chart(*variants: str) -> Pods:
    return kubernetes.of_chart(CHART, *variants)


@pytest.fixture(params=[kubernetes.of_values, of_chart] if CHART else [kubernetes.of_values])
def pods_of(request: pytest.FixtureRequest) -> Callable[..., Pods]:
    """Returns the pods of some variants of the values, by name of the service."""
    return request.param


@pytest.fixture
def pods(pods_of: Callable[..., Pods]) -> Pods:
    return pods_of()


def validate(manifest: dict[str, Any]) -> None:
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(manifest, version, strict=True)


def with_override(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a task's pod with that of the variable merged into it, as the executor does it."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    environment = kubernetes.resolved_environment(
        kubernetes.main_container(pod, "worker-cpu"), VALUES
    )
    made = PodGenerator.construct_pod(
        dag_id="daily_roi_forecast",
        task_id="train_member",
        pod_id="train-member",
        try_number=1,
        kube_image="the-image-of-the-configuration",
        date=None,
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload"],
        pod_override_object=training_arguments(environment)["executor_config"]["pod_override"],
        base_worker_pod=PodGenerator.deserialize_model_dict(pod),
        namespace=kubernetes.NAMESPACE,
        scheduler_job_id="1",
    )
    return PodGenerator.serialize_pod(made)


@pytest.mark.parametrize("variants", VARIANTS, ids="+".join)
def test_every_pod_fits_the_strict_schema(
    pods_of: Callable[..., Pods], variants: tuple[str, ...]
) -> None:
    pods = pods_of(*variants)
    assert set(pods) == set(kubernetes.SECTIONS)
    for pod in pods.values():
        validate(pod)


def test_own_objects_fit_the_strict_schema_and_are_in_one_namespace() -> None:
    objects = kubernetes.read_objects()
    for each in objects:
        validate(each)
    namespaces = {each["metadata"].get("namespace", each["metadata"]["name"]) for each in objects}
    assert namespaces == {kubernetes.NAMESPACE}


@pytest.mark.skipif(not CHART, reason="make test-kubernetes CHART=airflow-1.22.0.tgz runs it")
@pytest.mark.parametrize("variants", VARIANTS if CHART else VARIANTS[-1:], ids="+".join)
def test_every_object_of_the_chart_fits_the_strict_schema(variants: tuple[str, ...]) -> None:
    rendered = kubernetes.render(CHART, *variants)
    for each in rendered:
        validate(each)
    kinds = {each["kind"] for each in rendered}
    assert "NetworkPolicy" in kinds
    assert not {"StatefulSet", "Secret", "PersistentVolumeClaim", "CronJob"} & kinds
    token = {
        each["metadata"]["name"]
        for each in rendered
        if each["kind"] == "ServiceAccount" and each.get("automountServiceAccountToken", True)
    }
    assert {name.rpartition("-")[2] for name in token} == {"scheduler"}


def test_strict_schema_refuses_a_misspelt_key() -> None:
    pod = kubernetes.of_values()["api-server"]
    pod["spec"]["containers"][0]["securityContext"] = {"readOnlyRootFileSystem": True}
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        validate(pod)


def test_services_have_the_environment_of_docker_compose(pods: Pods) -> None:
    config = {
        f"AIRFLOW__{section}__{name}".upper(): value
        for section, settings in kubernetes.read_values()["config"].items()
        for name, value in settings.items()
    }
    for service, pod in pods.items():
        compose = SERVICES[service]["environment"]
        given = kubernetes.resolved_environment(kubernetes.main_container(pod, service), VALUES)
        for name, value in compose.items():
            if any(re.fullmatch(pattern, name) for pattern in ELSEWHERE):
                continue
            if service == "worker-cpu" and name == "AIRFLOW__API__SECRET_KEY":
                continue  # It signs requests for logs, which lie on a volume.
            assert (config | given).get(name) == value, (service, name)
        added = set(given) - set(compose) - set(SECRETS)
        assert added <= {"AIRFLOW_HOME", "ROI_DATA_DIRECTORY", "PYTHONUNBUFFERED"}, service


def test_what_is_elsewhere_is_there(pods: Pods) -> None:
    values, compose = kubernetes.read_values(), SERVICES["scheduler"]["environment"]
    assert values["dags"]["mountPath"] == compose["AIRFLOW__CORE__DAGS_FOLDER"]
    assert f"{values['airflowHome']}/logs" == compose["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    for pod in pods.values():
        for container in pod["spec"]["containers"]:
            assert container["envFrom"] == [
                {"secretRef": {"name": "roi-settings", "optional": True}}
            ]


def test_services_see_only_their_share_of_the_secrets(pods: Pods) -> None:
    def secrets_of(service: str) -> set[str]:
        text = str(
            [
                kubernetes.resolved_environment(container, VALUES)
                for container in kubernetes.containers(pods[service])
            ]
        )
        return {name for name in SECRETS if VALUES[name] in text}

    control = {
        "AIRFLOW_DATABASE_PASSWORD",
        "AIRFLOW_FERNET_KEY",
        "AIRFLOW_JWT_SECRET",
        "AIRFLOW_API_SECRET",
    }
    assert secrets_of("worker-cpu") == {"ROI_PIPELINE_PASSWORD", "ROI_POOL_READER_PASSWORD"}
    for service in ("scheduler", "dag-processor", "triggerer"):
        assert secrets_of(service) == control
    assert secrets_of("api-server") == control | {"ROI_PAGES_PASSWORD"}
    assert {name for name in pods if "POSTGRES_PASSWORD" in secrets_of(name)} == {"init"}


def test_no_secret_is_left_out_of_a_url(pods: Pods) -> None:
    for pod in pods.values():
        for container in kubernetes.containers(pod):
            for name, value in kubernetes.resolved_environment(container, VALUES).items():
                assert "$(" not in value, name


def test_waiting_for_migrations_needs_only_the_database(pods: Pods) -> None:
    for service, pod in pods.items():
        for container in pod["spec"].get("initContainers") or []:
            given = kubernetes.resolved_environment(container, VALUES)
            name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
            assert given[name] == SERVICES[service]["environment"][name]


def test_commands_limits_and_images_are_those_of_docker_compose(pods: Pods) -> None:
    for service, pod in pods.items():
        container, compose = kubernetes.main_container(pod, service), SERVICES[service]
        if service != "worker-cpu":
            assert container["args"] == words(compose["command"]), service
        limits = compose["deploy"]["resources"]["limits"]
        memory = limits["memory"].replace("g", "Gi")
        assert container["resources"]["limits"] == {"cpu": limits["cpus"], "memory": memory}
        for each in kubernetes.containers(pod):
            name = re.fullmatch(r"registry\.example\.com/([\w-]+):latest", each["image"])
            assert name is not None
            assert name[1] == compose["image"]


def test_the_executor_starts_the_image_of_the_pod_template() -> None:
    values = kubernetes.read_values()
    repository = values["images"]["pod_template"]["repository"]
    assert values["config"]["kubernetes_executor"]["worker_container_repository"] == repository


def test_every_container_is_confined_as_in_docker_compose(pods: Pods) -> None:
    (user,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    for pod in pods.values():
        context = pod["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsNonRoot"]) == (int(user), True)
        assert context["fsGroup"] == int(user)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in kubernetes.containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            mounts = {each["mountPath"] for each in container["volumeMounts"]}
            assert {"/tmp", "/var/lib/roi"} <= mounts


def test_only_tasks_can_change_models(pods: Pods) -> None:
    writers, readers = set(), set()
    for service, pod in pods.items():
        for mount in kubernetes.main_container(pod, service)["volumeMounts"]:
            if mount["mountPath"] == DATA:
                (readers if mount.get("readOnly") else writers).add(service)
    assert (writers, readers) == ({"worker-cpu"}, {"api-server"})


def test_with_an_object_store_no_pod_has_the_volume_and_all_have_its_address(
    pods_of: Callable[..., Pods],
) -> None:
    for service, pod in pods_of("object-store").items():
        assert "roi-data" not in str(pod)
        container = kubernetes.main_container(pod, service)
        given = kubernetes.resolved_environment(container, VALUES)
        assert given["ROI_DATA_DIRECTORY"].startswith("s3://")
        shared = {name: value for name, value in given.items() if name != "ROI_DATA_DIRECTORY"}
        plain = kubernetes.main_container(pods_of()[service], service)
        assert shared.items() <= kubernetes.resolved_environment(plain, VALUES).items()


def test_claims_services_and_secrets_that_are_named_exist(pods: Pods) -> None:
    names = {(each["kind"], each["metadata"]["name"]) for each in kubernetes.read_objects()}
    text = yaml.safe_dump(pods)
    claims = set(re.findall(r"claimName: (\S+)", text))
    assert {("PersistentVolumeClaim", claim) for claim in claims} <= names
    assert {("Service", host) for host in re.findall(r"@([a-z-]+):5432", text)} <= names
    for pod in pods.values():
        for container in kubernetes.containers(pod):
            for entry in container["env"]:
                if "valueFrom" in entry:
                    reference = entry["valueFrom"]["secretKeyRef"]
                    assert reference["name"] == "roi-secrets"
                    assert reference["key"] in SECRETS


def test_probes_ask_about_the_process_itself_and_are_commands_of_airflow(pods: Pods) -> None:
    from airflow.cli import cli_parser

    for service in ("scheduler", "dag-processor", "triggerer"):
        probe = kubernetes.main_container(pods[service], service)["livenessProbe"]
        command = probe["exec"]["command"]
        parsed = cli_parser.get_parser().parse_args(command[1:])
        assert (command[0], parsed.local) == ("airflow", True)
        assert parsed.job_type == f"{service.title().replace('-', '')}Job"


def test_training_runs_on_a_gpu_with_the_rest_of_a_tasks_pod(
    pods_of: Callable[..., Pods],
) -> None:
    plain = pods_of("gpu")["worker-cpu"]
    pod = with_override(plain)
    validate(pod)
    (container,) = pod["spec"]["containers"]
    compose = SERVICES["worker-gpu"]
    assert container["image"] == f"registry.example.com/{compose['image']}:latest"
    limits = compose["deploy"]["resources"]["limits"]
    assert container["resources"]["limits"] == {
        "cpu": limits["cpus"],
        "memory": limits["memory"].replace("g", "Gi"),
        "nvidia.com/gpu": "1",
    }
    assert pod["spec"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    before = kubernetes.main_container(plain, "worker-cpu")
    for name in ("securityContext", "volumeMounts", "envFrom"):
        assert container[name] == before[name]
    assert all(entry in container["env"] for entry in before["env"])
    assert pod["spec"]["volumes"] == plain["spec"]["volumes"]


def test_values_are_of_the_installed_airflow() -> None:
    assert kubernetes.read_values()["airflowVersion"] == airflow.__version__


def test_without_the_variable_tasks_have_no_pod_of_their_own() -> None:
    assert training_arguments({})["executor_config"] == {}
    gpu = kubernetes.main_container(kubernetes.of_values("gpu")["worker-cpu"], "worker-cpu")
    assert TRAINING_POD_VARIABLE in kubernetes.resolved_environment(gpu, VALUES)
