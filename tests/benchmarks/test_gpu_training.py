"""The benchmark of trainings on a GPU, by the backend and on the processor of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import gpu_training
from gpu_training import Step, Training, measure_step, report


def test_a_step_without_cudnn_is_measured_as_a_loop(monkeypatch):
    monkeypatch.setattr(gpu_training, "STEPS", 2)
    monkeypatch.setattr(gpu_training, "ROWS", 5)
    step = measure_step("tensorflow", "float32", 3, 4, [0])
    assert (step.lstm, step.assets, step.batch_size) == ("loop", 3, 4)
    assert 0 < step.milliseconds / 1000 < step.first_seconds


def test_the_report_has_a_line_for_each_measurement():
    step = Step("jax", "cuDNN", "float32", 23, 32, 10.567, 6.8)
    training = Training("torch", "mixed_float16", 22.7, 28, 0.002475, 0.002463, 0.0047, 1e-4)
    lines = report([step, training], "one card").splitlines()
    assert "| jax | cuDNN | float32 | 23 | 32 | 10.57 | 6.8 |" in lines
    assert (
        "| torch | mixed_float16 | 22.7 | 28 | 0.002475 | 0.002463 | 4.7e-03 | 1.0e-04 |" in lines
    )


@pytest.mark.parametrize("backend", ["tensorflow", "openvino"])
def test_a_backend_that_is_not_measured_is_refused(backend, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gpu_training.py", "--backends", backend])
    with pytest.raises(SystemExit):
        gpu_training.main()
    assert backend in capsys.readouterr().err
