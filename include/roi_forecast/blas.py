"""A limit of one thread for numpy's matrix products."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")


def on_one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function to run numpy's matrix products on one thread.

    OpenBLAS divides even small products among all cores, and its threads spin while they wait. For
    products of a few hundred rows that saves no time and costs twice the processor time. The limit
    applies to the whole process until the function returns.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
