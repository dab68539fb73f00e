"""`make tensorboard`: real TensorBoard on real logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave

from installation import free_port
from roi_forecast.network.training.tensorboard import write_images
from roi_local.commands.tensorboard import show_tensorboard
from roi_local.environment import HOME_VARIABLE, PORT_VARIABLE, Home
from roi_local.errors import LocalError

PATIENCE_SECONDS = 120


def test_before_the_first_training_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"no logs below .*`make run` trains a network"):
        show_tensorboard(Home(tmp_path), 6006)


@pytest.mark.slow
def test_it_shows_the_runs_that_were_recorded_and_ends_with_a_signal(tmp_path: Path) -> None:
    home, port = Home(tmp_path), free_port()
    imsave(tmp_path / "one.png", np.zeros((2, 2)))
    training = home.data_directory / "models" / "trial" / "candidates" / "run"
    write_images(training, {"picture": (tmp_path / "one.png").read_bytes()}, 0)
    process = subprocess.Popen(
        [sys.executable, "-m", "roi_local.commands.tensorboard"],
        env={**os.environ, HOME_VARIABLE: str(tmp_path), PORT_VARIABLE: str(port)}
        | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert _runs(port) == ["trial/candidates/run/tensorboard"]
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_SECONDS) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)


def _runs(port: int) -> list[str]:
    """Return the runs that TensorBoard knows, once it answers with any."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            address = f"http://127.0.0.1:{port}/data/runs"
            with urllib.request.urlopen(address, timeout=5) as answer:
                runs: list[str] = json.load(answer)
            if runs:
                return runs
        except OSError:
            pass
        assert time.monotonic() < deadline, "TensorBoard did not answer"
        time.sleep(0.5)
