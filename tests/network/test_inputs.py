from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.errors import DatasetError
from roi_forecast.network.inputs import PLAIN_LAGS, model_inputs


@given(
    seq_len=st.integers(1, 15),
    extra_rows=st.integers(0, 10),
    assets=st.integers(1, 4),
    data=st.data(),
)
def test_model_inputs_are_the_rows_just_before_each_target(seq_len, extra_rows, assets, data):
    rows = seq_len + extra_rows
    scaled = np.arange(rows * assets, dtype=np.float32).reshape(rows, assets)
    plain = -scaled
    first = data.draw(st.integers(seq_len, rows))
    targets = range(first, data.draw(st.integers(first, rows)) + 1)

    windows = model_inputs(scaled, plain, targets, seq_len)

    lags = min(PLAIN_LAGS, seq_len)
    for position, target in enumerate(targets):
        np.testing.assert_array_equal(
            windows["scaled"][position], scaled[target - seq_len : target]
        )
        np.testing.assert_array_equal(
            windows["scaled_log_roi"][position], plain[target - lags : target]
        )


def test_model_inputs_share_the_memory_of_the_rows():
    scaled = np.zeros((500, 3), dtype=np.float32)
    windows = model_inputs(scaled, scaled, range(60, 501), 60)
    assert all(np.shares_memory(window, scaled) for window in windows.values())


def test_model_inputs_refuse_a_target_beyond_the_next_session():
    scaled = np.zeros((20, 3), dtype=np.float32)
    with pytest.raises(DatasetError, match="from 8 to 20"):
        model_inputs(scaled, scaled, range(8, 22), 8)


def test_ridge_inputs_and_device_load_without_keras():
    program = (
        "import sys;"
        "import roi_forecast.network.ridge, roi_forecast.network.inputs;"
        "import roi_forecast.network.device;"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env={}, timeout=120).returncode == 0
