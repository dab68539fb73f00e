"""The value of a given rank in each of many windows over the same series, without sorting each.

A wavelet matrix (Claude, Navarro and Ordonez, 2015, "The wavelet matrix: An efficient wavelet tree
for large alphabets", Information Systems 47): the ranks of the values, bit by bit from the highest,
each bit moving the values without it before those with it. How many of a window lack the bit says
in which half the wanted one is, and where the window lies in the next bit's order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray

Places = npt.NDArray[np.intp]


def window_order_statistics(
    series: FloatArray, starts: Places, stops: Places, places: Places
) -> FloatArray:
    """Return the values that stand at given places of sorted windows.

    A window's values depend on nothing outside of it.

    Args:
        series: Shape (series, length); NaN sorts last.
        starts: First position of each window, shape (windows,).
        stops: Position after its last, same shape.
        places: From 0, below the window's length, shape (series, windows, places).

    Returns:
        Shape (series, windows, places); NaN where a window is empty.
    """
    if len(starts) == 1:
        ordered = np.sort(series[:, starts[0] : stops[0]], axis=1)
        if not ordered.shape[1]:
            return np.full(places.shape, np.nan)
        return np.take_along_axis(ordered, places[:, 0], axis=1)[:, np.newaxis]
    order = np.argsort(series, axis=1)
    numbers = _numbers(order, places, starts, stops)
    positions = np.take_along_axis(order, numbers.reshape(len(series), -1), axis=1)
    found = np.take_along_axis(series, positions, axis=1).reshape(places.shape)
    found[:, starts == stops] = np.nan
    return found


def _numbers(order: Places, places: Places, starts: Places, stops: Places) -> Places:
    """Return which in the order of the whole series each wanted value is, as `places`."""
    count, length = order.shape
    ranks = np.empty(order.shape, np.int32)
    np.put_along_axis(ranks, order, np.arange(length, dtype=np.int32)[np.newaxis], axis=1)
    # One place in the flat array: numpy is several times as fast with it as with two indices.
    first = (np.arange(count) * (length + 1))[:, np.newaxis, np.newaxis]
    left = np.broadcast_to(starts[:, np.newaxis], places.shape)
    right = np.broadcast_to(stops[:, np.newaxis], places.shape)
    lacking = np.zeros((count, length + 1), np.int32)
    wanted, found = places, np.zeros(places.shape, np.intp)
    for bit in reversed(range((length - 1).bit_length())):
        has_bit = (ranks & (1 << bit)).astype(np.bool_)
        lacks_bit = ~has_bit
        np.cumsum(lacks_bit, axis=1, dtype=np.int32, out=lacking[:, 1:])
        flat = lacking.reshape(-1)
        lacking_left, lacking_right = flat[first + left], flat[first + right]
        inside = lacking_right - lacking_left
        is_upper = wanted >= inside
        # As many of each series lack the bit, since its ranks are the same whole numbers.
        total = int(lacking[0, -1])
        left = np.where(is_upper, total + left - lacking_left, lacking_left)
        right = np.where(is_upper, total + right - lacking_right, lacking_right)
        wanted = np.where(is_upper, wanted - inside, wanted)
        found += is_upper.astype(np.intp) << bit
        ranks = np.concatenate(
            [ranks[lacks_bit].reshape(count, -1), ranks[has_bit].reshape(count, -1)], axis=1
        )
    numbers: Places = np.minimum(found, length - 1)
    return numbers
