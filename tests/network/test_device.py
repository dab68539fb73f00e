from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roi_forecast.network.device import training_device, visible_device


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, alone on the path."""
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def install(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_visible_device_is_the_cpu_without_an_nvidia_driver(nvidia_smi):
    assert visible_device().startswith("CPU (")
    assert visible_device().endswith("no NVIDIA GPU is visible")


def test_visible_device_names_the_gpus_that_the_driver_lists(nvidia_smi):
    install(nvidia_smi, "echo 'GPU 0: NVIDIA A10 (UUID: GPU-1)'; echo 'GPU 1: NVIDIA L4 (UUID: x)'")
    assert visible_device() == "GPU 0: NVIDIA A10, GPU 1: NVIDIA L4"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_visible_device_is_the_cpu_where_gpus_are_hidden(nvidia_smi, monkeypatch, hidden):
    install(nvidia_smi, "echo 'GPU 0: NVIDIA A10 (UUID: GPU-1)'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert visible_device().startswith("CPU (")


def test_visible_device_is_the_cpu_where_the_driver_fails(nvidia_smi):
    install(nvidia_smi, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert visible_device().endswith("nvidia-smi lists no GPU")


def test_training_device_is_one_that_tensorflow_sees():
    import tensorflow as tf

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    assert training_device().startswith(kind)


HALF_OF_THE_CORES = str(max(1, (os.cpu_count() or 1) // 2))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("TF_FORCE_GPU_ALLOW_GROWTH", None, "true"),
        ("TF_FORCE_GPU_ALLOW_GROWTH", "false", "false"),
        ("TF_NUM_INTRAOP_THREADS", None, HALF_OF_THE_CORES),
        ("TF_NUM_INTRAOP_THREADS", "7", "7"),
    ],
)
def test_memory_and_threads_have_defaults_that_the_environment_overrides(name, given, expected):
    environment = {key: value for key, value in os.environ.items() if key != name}
    environment |= {} if given is None else {name: given}
    # The backend module sets what TensorFlow reads; loading TensorFlow itself is not needed to see.
    code = (
        "import sys, os; from unittest.mock import MagicMock; sys.modules['keras'] = MagicMock(); "
        f"import roi_forecast.network.backend; print(os.environ[{name!r}])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == expected
