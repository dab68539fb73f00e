"""The limit of threads for numpy's matrix products."""

from __future__ import annotations

import numpy as np  # noqa: F401 - loads the library whose threads are counted
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from roi_forecast.blas import on_one_blas_thread


def _blas_threads() -> list[int]:
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


def test_products_have_one_thread_within_and_as_many_as_before_after_success_or_error() -> None:
    @on_one_blas_thread
    def counted(*, fails: bool) -> list[int]:
        found = _blas_threads()
        if fails:
            raise ValueError(str(found))
        return found

    with threadpool_limits(limits=2, user_api="blas"):
        before = _blas_threads()
        assert 2 in before
        assert set(counted(fails=False)) == {1}
        with pytest.raises(ValueError, match=r"^\[1(, 1)*\]$"):
            counted(fails=True)
        assert _blas_threads() == before
