"""How much of a forecast to believe: the factor that fits best, discounted by its own t."""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray


def discounted_factor(products: FloatArray, squares: FloatArray, least_t: float = 1.0) -> float:
    """Return the factor in [0, 1] with the least squared error, discounted by its own t.

    The factor b of the least squared error of b * forecast is estimated, so it is multiplied by
    1 - (least_t / t)^2, at least 0: by the positive part of James and Stein (1961) for least_t 1,
    which is what the estimate is worth on average. A larger least_t allows for a choice that was
    made on the same days. The standard error in t is that of days (White, 1980): the assets of a
    day count as one.

    Args:
        products: For each day the weighted sum over its assets of forecast times actual.
        squares: Likewise of forecast times forecast.
        least_t: The t below which nothing is believed.

    Returns:
        0 where there is no forecast or fewer than two days.
    """
    total = float(squares.sum())
    if not total > 0 or np.count_nonzero(squares) < 2:
        return 0.0
    factor = float(products.sum()) / total
    error = float(np.sqrt(((products - factor * squares) ** 2).sum())) / total
    if factor <= 0:
        return 0.0
    worth = 1.0 - (least_t * error / factor) ** 2
    return min(factor, 1.0) * max(worth, 0.0)
