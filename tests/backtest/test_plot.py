from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib import image

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.backtest.naive_walks import naive_walks
from roi_forecast.backtest.plot import draw_backtest
from roi_forecast.backtest.walk_forward import WalkForward, walk_forward

DATASET = synthetic_dataset(rows=400)


def walks(refit_every: int) -> dict[str, WalkForward]:
    walk = walk_forward(DATASET, DATASET.dates[310].item(), refit_every=refit_every)
    return {"linear": walk, **naive_walks(DATASET, walk)}


def pixels(content: bytes) -> np.ndarray:
    return image.imread(io.BytesIO(content), format="png")


# The last fold has 6 sessions, 1 session, and less than a block.
@pytest.mark.parametrize("refit_every", [21, 89, 43])
@pytest.mark.filterwarnings("error")
def test_folds_of_any_length_are_drawn(refit_every: int) -> None:
    picture = pixels(draw_backtest(walks(refit_every), "title"))
    assert picture.shape[0] > 800
    assert picture.shape[1] > 1000
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 20


def test_other_figures_give_another_picture() -> None:
    first, second = (draw_backtest(walks(every), "title") for every in (21, 43))
    assert not np.array_equal(pixels(first), pixels(second))
