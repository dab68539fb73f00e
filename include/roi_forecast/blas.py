"""One thread for numpy's matrix products, of which the stages after training do many small ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")


def on_one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with one thread for each matrix product of numpy.

    OpenBLAS divides even small products among all cores and lets its threads spin while they wait:
    for products of some hundred rows that saves no time, takes the processor time twice, and slows
    down whatever works beside. The limit holds for the whole process until the function returns.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
