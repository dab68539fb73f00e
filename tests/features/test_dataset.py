from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import split_targets


def test_split_of_the_reference_window() -> None:
    split = split_targets(614, 60, 5, 0.2, 0.15)
    # 554 windows: 111 test; 15 % of the other 443 are 66, less the gap of 5.
    assert (len(split.train), len(split.validation), len(split.test)) == (372, 61, 111)
    assert split.test.stop == 614


@given(
    st.integers(20, 3000),
    st.integers(5, 60),
    st.integers(1, 10),
    st.floats(0.05, 0.5),
    st.floats(0.05, 0.5),
)
def test_parts_are_ordered_and_share_no_log_roi_of_a_target(
    rows: int, seq_len: int, smoothing: int, test_share: float, validation_share: float
) -> None:
    assume(seq_len >= smoothing)
    try:
        split = split_targets(rows, seq_len, smoothing, test_share, validation_share)
    except DatasetError:
        return
    assert split.train.start == seq_len
    assert split.test.stop == rows
    assert abs(len(split.test) - (rows - seq_len) * test_share) <= 0.5
    for earlier, later in ((split.train, split.validation), (split.validation, split.test)):
        # The first target of the later part is the mean over rows later.start - smoothing + 1 on.
        assert earlier[-1] < later.start - smoothing + 1


def test_too_few_rows_are_refused_with_what_to_do() -> None:
    with pytest.raises(DatasetError, match=r"70 rows leave no window for .*earlier start_date"):
        split_targets(70, 60, 5, 0.2, 0.15)
