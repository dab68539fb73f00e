"""The chronological split into training, validation and test targets."""

from __future__ import annotations

from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Split


def split_targets(
    rows: int, seq_len: int, smoothing: int, test_share: float, validation_share: float
) -> Split:
    """Split the target rows in time order.

    The test takes the last share of all windows, validation the last share of the rest. Then a gap
    of the smoothing span is dropped from the end of training and of validation, so that no two
    parts have a log ROI of a target in common.

    Args:
        rows: Rows of the dataset.
        seq_len: Rows in one window; the first target row.
        smoothing: Sessions in the moving average.
        test_share: Fraction of all windows.
        validation_share: Fraction of the windows before the test.

    Raises:
        DatasetError: A part would be empty.
    """
    windows = rows - seq_len
    test = round(windows * test_share)
    validation = round((windows - test) * validation_share)
    test_start = rows - test
    validation_start = test_start - validation
    split = Split(
        train=range(seq_len, validation_start - smoothing),
        validation=range(validation_start, test_start - smoothing),
        test=range(test_start, rows),
    )
    for name in ("train", "validation", "test"):
        if len(getattr(split, name)) == 0:
            raise DatasetError(
                f"{rows} rows leave no window for {name} with seq_len {seq_len}, smoothing "
                f"{smoothing}, test_share {test_share} and validation_share {validation_share}; "
                "take an earlier start_date or a shorter seq_len"
            )
    return split
