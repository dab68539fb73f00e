from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from production.native import NativeCompose, create_compose

SECOND_CPU_WORKER = "worker-cpu-2"
CONTROL = ("api-server", "scheduler", "dag-processor", "triggerer")

# Airflow takes minutes to notice a worker that died; a test should not.
QUICK = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
    "AIRFLOW__API__WORKERS": "1",
}


def start_gpu_worker(compose: NativeCompose) -> None:
    """Start the GPU worker; on one machine it needs another name than the CPU worker."""
    compose.start("worker-gpu", options=("--celery-hostname", "gpu@%h"))


@pytest.fixture(scope="module")
def compose() -> Iterator[NativeCompose]:
    """The services of docker-compose.yaml, a second CPU worker among them, up and healthy."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (.ci/run installs it)")
    # Not below pytest's own folder, which other users, PostgreSQL's among them, cannot enter.
    with TemporaryDirectory(prefix="roi-compose-") as folder:
        Path(folder).chmod(0o755)
        topology = create_compose(Path(folder), QUICK, {"ROI_CPU_QUEUES": "default"})
        try:
            topology.start_postgres()
            topology.start("redis")
            topology.run_to_end("init")
            for service in CONTROL:
                topology.start(service)
            topology.start("worker-cpu")
            topology.start(
                "worker-cpu", name=SECOND_CPU_WORKER, options=("--celery-hostname", "second@%h")
            )
            start_gpu_worker(topology)
            topology.wait_until(
                lambda: all(topology.is_healthy(name) for name in (*CONTROL, "worker-cpu"))
            )
            yield topology
        finally:
            topology.stop()
