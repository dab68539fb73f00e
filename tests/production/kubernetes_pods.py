"""The pods that Airflow's chart makes of kubernetes/, by service of docker-compose.yaml.

`of_values` puts them together as the templates of chart 1.22 do, for machines that have no chart:
`of_chart` has Helm render a chart (`make test-kubernetes CHART=airflow-1.22.0.tgz`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from roi_local.environment import REPOSITORY

FOLDER = REPOSITORY / "kubernetes"
NAMESPACE = "roi-forecast"
RELEASE = "roi"

SECTIONS = {
    "scheduler": ("scheduler",),
    "dag-processor": ("dagProcessor",),
    "triggerer": ("triggerer",),
    "api-server": ("apiServer",),
    "init": ("migrateDatabaseJob",),
    "worker-cpu": ("workers", "kubernetes"),
}
"""The keys of the values at which a service is described."""

CONTAINERS = {"init": "run-airflow-migrations", "worker-cpu": "base"}
"""Names of containers which are not that of the service."""


def read_values(*variants: str) -> dict[str, Any]:
    """Return values.yaml with the given variants merged into it, as Helm merges them."""
    values: dict[str, Any] = {}
    for name in ("values", *(f"values-{variant}" for variant in variants)):
        text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
        values = _merged(values, yaml.safe_load(text))
    return values


def read_objects() -> list[dict[str, Any]]:
    """Return the objects that are created before the chart."""
    return list(yaml.safe_load_all((FOLDER / "objects.yaml").read_text(encoding="utf-8")))


def section(values: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Return what the values say of one service."""
    found: Any = values
    for key in SECTIONS[service]:
        found = found[key]
    return found


def of_values(*variants: str) -> dict[str, dict[str, Any]]:
    """Return the pod of every service, put together without the chart."""
    values = read_values(*variants)
    return {service: _pod(values, service) for service in SECTIONS}


def of_chart(chart: str, *variants: str) -> dict[str, dict[str, Any]]:
    """Return the pod of every service, rendered by Helm."""
    pods = {}
    for rendered in render(chart, *variants):
        labels = rendered["metadata"].get("labels", {})
        if rendered["kind"] in ("Deployment", "StatefulSet", "Job"):
            service = labels["component"].replace("run-airflow-migrations", "init")
            pods[service] = {"apiVersion": "v1", "kind": "Pod", **rendered["spec"]["template"]}
            pods[service]["metadata"].setdefault("name", service)
        elif "pod_template_file.yaml" in rendered.get("data", {}):
            pods["worker-cpu"] = yaml.safe_load(rendered["data"]["pod_template_file.yaml"])
    return pods


def render(chart: str, *variants: str) -> list[dict[str, Any]]:
    """Return every object that Helm renders of the chart, hooks included."""
    helm = shutil.which("helm")
    if helm is None:
        raise FileNotFoundError("helm is not on the PATH")
    command = [helm, "template", RELEASE, str(Path(chart).resolve()), "--namespace", NAMESPACE]
    for name in ("values", *(f"values-{variant}" for variant in variants)):
        command += ["--values", str(FOLDER / f"{name}.yaml")]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode != 0:
        raise AssertionError(answer.stderr)
    return [each for each in yaml.safe_load_all(answer.stdout) if each]


def containers(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the containers of a pod that run the product's image, init containers first."""
    yield from pod["spec"].get("initContainers") or []
    yield from pod["spec"]["containers"]


def main_container(pod: Mapping[str, Any], service: str) -> dict[str, Any]:
    """Return the container of a pod that does the work of the service."""
    name = CONTAINERS.get(service, service)
    (found,) = [each for each in pod["spec"]["containers"] if each["name"] == name]
    return found


def resolved_environment(
    container: Mapping[str, Any], secrets: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables as the process sees them: $(NAME) stands for an entry further up."""
    found: dict[str, str] = {}
    for entry in container["env"]:
        if "valueFrom" in entry:
            found[entry["name"]] = secrets[entry["valueFrom"]["secretKeyRef"]["key"]]
        else:
            found[entry["name"]] = re.sub(
                r"\$\((\w+)\)",
                lambda match: found.get(match[1], match[0]),
                str(entry.get("value", "")),
            )
    return found


def _merged(base: Any, other: Any) -> Any:
    if isinstance(base, dict) and isinstance(other, dict):
        return base | {name: _merged(base.get(name), value) for name, value in other.items()}
    return other


def _pod(values: Mapping[str, Any], service: str) -> dict[str, Any]:
    described = section(values, service)
    repository = values["defaultAirflowRepository"]
    if service == "worker-cpu":
        repository = values["images"]["pod_template"]["repository"]
    extra = str(values.get("extraEnv", "[]"))
    shared = [
        {"name": "AIRFLOW_HOME", "value": values["airflowHome"]},
        *values["env"],
        *yaml.safe_load(extra.replace("{{ .Values.defaultAirflowTag }}", "latest")),
    ]
    mounts = [
        *values["volumeMounts"],
        *described.get("extraVolumeMounts", []),
        {
            "name": "config",
            "mountPath": f"{values['airflowHome']}/airflow.cfg",
            "subPath": "airflow.cfg",
            "readOnly": True,
        },
    ]
    volumes = [
        *values["volumes"],
        *described.get("extraVolumes", []),
        {"name": "config", "configMap": {"name": f"{RELEASE}-config"}},
    ]
    if service != "init":
        mounts.append({"name": "logs", "mountPath": f"{values['airflowHome']}/logs"})
        claim = values["logs"]["persistence"]["existingClaim"]
        volumes.append({"name": "logs", "persistentVolumeClaim": {"claimName": claim}})
    common = {
        "image": f"{repository}:{values['defaultAirflowTag']}",
        "securityContext": values["securityContexts"]["containers"],
        "resources": described["resources"],
        "envFrom": yaml.safe_load(values["extraEnvFrom"]),
        "volumeMounts": mounts,
    }
    main = {
        "name": CONTAINERS.get(service, service),
        "env": [*shared, *described["env"]],
        **common,
    }
    if "args" in described:
        main["args"] = described["args"]
    for probe in ("livenessProbe", "startupProbe"):
        if "command" in described.get(probe, {}):
            settings = {
                name: value for name, value in described[probe].items() if name != "command"
            }
            main[probe] = {"exec": {"command": described[probe]["command"]}, **settings}
    spec: dict[str, Any] = {
        "securityContext": values["securityContexts"]["pod"],
        "containers": [main],
        "volumes": volumes,
    }
    if "waitForMigrations" in described:
        wait = {"name": "wait-for-airflow-migrations", **common}
        wait["args"] = ["airflow", "db", "check-migrations"]
        wait["env"] = [*shared, *described["waitForMigrations"]["env"]]
        spec["initContainers"] = [wait]
    if service in ("init", "worker-cpu"):
        spec["restartPolicy"] = "Never"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": service}, "spec": spec}
