from __future__ import annotations

import numpy as np
import pytest

from roi_forecast.errors import DatasetError
from roi_forecast.features.windows import window_view


def test_windows_end_just_before_their_target() -> None:
    values = np.arange(20).reshape(10, 2)
    windows = window_view(values, range(4, 11), 4)
    assert windows.shape == (7, 4, 2)
    for number, target in enumerate(range(4, 11)):
        np.testing.assert_array_equal(windows[number], values[target - 4 : target])


def test_windows_are_views_of_the_rows() -> None:
    values = np.zeros((1000, 50), dtype=np.float32)
    windows = window_view(values, range(60, 1000), 60)
    assert np.shares_memory(windows, values)
    assert not windows.flags.writeable


@pytest.mark.parametrize(
    "targets", [range(3, 5), range(4, 12), range(5, 5), range(4, 8, 2)], ids=str
)
def test_targets_without_a_whole_window_are_refused(targets: range) -> None:
    with pytest.raises(DatasetError, match="consecutive rows from 4 to 10"):
        window_view(np.zeros((10, 2)), targets, 4)
