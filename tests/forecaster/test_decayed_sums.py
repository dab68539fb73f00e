from __future__ import annotations

import numpy as np
import pytest

from roi_forecast.forecaster.decayed_sums import decayed_sums


@pytest.mark.parametrize("columns", [1, 40])
def test_a_sum_is_that_of_the_rows_before_term_by_term(columns: int) -> None:
    values = np.random.default_rng(3).normal(size=(30, columns))
    found = decayed_sums(values, (1, 5), 31, 8)
    for number, half_life in enumerate((1, 5)):
        for row in range(31):
            terms = [
                2 ** (-(back - 1) / half_life) * values[row - back]
                for back in range(1, min(row, 8) + 1)
            ]
            np.testing.assert_allclose(found[number, row], sum(terms, np.zeros(columns)))


def test_no_row_from_its_own_on_counts_and_none_beyond_the_memory() -> None:
    values = np.random.default_rng(3).normal(size=(30, 3))
    expected = decayed_sums(values, (22,), 30, 8)
    values[20:], values[:10] = 1e6, 1e6
    np.testing.assert_array_equal(decayed_sums(values, (22,), 30, 8)[:, 18:21], expected[:, 18:21])
