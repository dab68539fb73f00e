from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from roi_forecast.errors import TrainingError
from roi_forecast.network.device import DEVICES_VARIABLE, training_scope
from roi_local.environment import REPOSITORY


def test_two_devices_train_to_what_one_does_though_their_parts_hold_different_counts(
    tmp_path: Path,
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "network.train_on_devices", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests"), "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    one, two = (json.loads((tmp_path / f"{devices}.json").read_text()) for devices in "12")
    assert one[0][0] is two[0][0] is None
    np.testing.assert_allclose(two[0][2:], one[0][2:], rtol=1e-5)
    # The loss that Keras itself reports weighs parts by their windows.
    np.testing.assert_allclose(two[1:], one[1:], rtol=1e-3)
    with np.load(tmp_path / "1.npz") as single, np.load(tmp_path / "2.npz") as double:
        for name in single.files:
            np.testing.assert_allclose(double[name], single[name], atol=2e-3)


@pytest.mark.parametrize("value", ["0", "-1", "all"])
def test_a_number_of_devices_that_is_none_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEVICES_VARIABLE, value)
    with pytest.raises(TrainingError, match=f"received '{value}'; expected a number"):
        training_scope()


def test_more_devices_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICES_VARIABLE, "64")
    with pytest.raises(TrainingError, match="received 64, but this machine has 1 CPU"):
        training_scope()
