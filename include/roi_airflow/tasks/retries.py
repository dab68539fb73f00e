"""The wait of a task before it tries again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True)
class ExponentialBackoff(RetryPolicy):
    """Waits twice as long after each try, times a random share of each task instance.

    Airflow's own backoff draws one share for all instances of a mapped task, so that all would ask
    the source again in the same second.

    Attributes:
        first: The longest wait after the first try.
        longest: The longest wait of all.
    """

    first: timedelta
    longest: timedelta

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Return the wait before the next try: from half of the doubled time to all of it."""
        del exception, max_tries, context
        share = random.uniform(0.5, 1.0)  # nosec B311 # noqa: S311, nothing secret hangs on it
        return RetryDecision.retry(self.longest_wait(try_number) * share)

    def longest_wait(self, try_number: int) -> timedelta:
        """Return the longest wait that may follow a try, counted from 1."""
        doubled: timedelta = self.first * 2 ** (try_number - 1)
        return min(doubled, self.longest)
