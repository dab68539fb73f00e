"""Windows over the rows of a dataset, as views that copy nothing."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from roi_forecast.errors import DatasetError

Scalar = TypeVar("Scalar", bound=np.generic)


def window_view(values: npt.NDArray[Scalar], targets: range, length: int) -> npt.NDArray[Scalar]:
    """Return the windows that end just before each target row.

    Args:
        values: Shape (rows, assets).
        targets: Consecutive target rows from `length` to `rows`; `rows` is the session after the
            last row.
        length: Rows in a window.

    Returns:
        A read-only view of shape (targets, length, assets).

    Raises:
        DatasetError: A target has fewer than `length` rows before it, or lies after `rows`.
    """
    require_windows(values.shape[0], targets, length)
    # sliding_window_view puts the window last: (windows, assets, length).
    views = sliding_window_view(values, length, axis=0)
    first = targets.start - length
    return views[first : first + len(targets)].transpose(0, 2, 1)


def require_windows(rows: int, targets: range, length: int) -> None:
    """Check that there is a window before each target row, as `window_view` says.

    Raises:
        DatasetError: A target has fewer than `length` rows before it, or lies after `rows`.
    """
    if targets.step != 1 or len(targets) == 0 or targets.start < length or targets.stop > rows + 1:
        raise DatasetError(
            f"no windows of {length} rows for the target rows {targets}; "
            f"allowed are consecutive rows from {length} to {rows}"
        )
