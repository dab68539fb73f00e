from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.errors import DatasetError
from roi_forecast.network.inputs import model_inputs


@given(
    seq_len=st.integers(1, 15),
    extra_rows=st.integers(0, 10),
    assets=st.integers(1, 4),
    context=st.integers(0, 3),
    data=st.data(),
)
def test_model_inputs_are_the_rows_just_before_each_target_and_its_own_baseline(
    seq_len, extra_rows, assets, context, data
):
    rows, columns = seq_len + extra_rows, assets + context
    values = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    first = data.draw(st.integers(seq_len, rows))
    targets = range(first, data.draw(st.integers(first, rows)) + 1)
    baseline = -np.arange(len(targets) * assets, dtype=np.float64).reshape(-1, assets)

    given_to = model_inputs(values, baseline, targets, seq_len)

    assert set(given_to) == {"scaled", "baseline"}
    assert {each.dtype for each in given_to.values()} == {np.dtype("float32")}
    for position, target in enumerate(targets):
        np.testing.assert_array_equal(
            given_to["scaled"][position], values[target - seq_len : target]
        )
        np.testing.assert_array_equal(given_to["baseline"][position], baseline[position])


def test_windows_share_the_memory_of_the_rows():
    rows = np.zeros((500, 3), dtype=np.float32)
    windows = model_inputs(rows, np.zeros((441, 3)), range(60, 501), 60)
    assert np.shares_memory(windows["scaled"], rows)


def test_model_inputs_refuse_a_target_beyond_the_next_session():
    rows = np.zeros((20, 3), dtype=np.float32)
    with pytest.raises(DatasetError, match="from 8 to 20"):
        model_inputs(rows, np.zeros((14, 3)), range(8, 22), 8)


@pytest.mark.parametrize("count", [0, 4, 6])
def test_model_inputs_refuse_a_baseline_of_other_targets(count):
    rows = np.zeros((20, 3), dtype=np.float32)
    with pytest.raises(DatasetError, match=f"5 targets need a baseline each; received {count}"):
        model_inputs(rows, np.zeros((count, 3)), range(10, 15), 8)


def test_linear_part_inputs_and_device_load_without_keras():
    program = (
        "import sys;"
        "import roi_forecast.linear.baseline, roi_forecast.network.inputs;"
        "import roi_forecast.network.device;"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env={}, timeout=120).returncode == 0
