"""The scores of forecasts several sessions ahead over the test rows, horizon by horizon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.config import MultiStep
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.scores import Score
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead, to_percent
from roi_forecast.forecaster.horizons import HorizonCalibration
from roi_forecast.forecaster.recursive import WindowForecaster


def score_horizons(
    dataset: Dataset,
    calibration: HorizonCalibration,
    method: MultiStep,
    forecast_windows: WindowForecaster,
    horizons: Sequence[int],
) -> Iterator[Score]:
    """Score the published forecasts of the horizons beyond the next session.

    Args:
        dataset: What the model was trained on.
        calibration: Fitted on the rows before the test.
        method: How the forecasts are made.
        forecast_windows: The model, one session ahead.
        horizons: Ascending. One that no session of the test is the end of has no score.

    Yields:
        MAE, R2 against zero, coverage and interval score of the ROI in percent from the as-of to
        the target date, under the target `horizon_<horizon>_pct`, for every asset and for all.

    Raises:
        EvaluationError: There are too few errors before the test for an interval.
    """
    origins = dataset.split.test
    farther = [horizon for horizon in horizons if 1 < horizon <= len(origins)]
    if not farther:
        return
    preprocessing = Preprocessing.of_dataset(dataset)
    cumulated = calibration.forecast(
        method, forecast_windows, preprocessing, dataset, origins, farther[-1]
    )
    published = to_percent(calibration.publish(method, cumulated))
    intervals = calibration.intervals(method, dataset, cumulated, origins)
    rows = slice(origins.start, origins.stop)
    for horizon in farther:
        ahead = log_roi_ahead(dataset.log_roi, dataset.filled, horizon)[rows]
        actual, forecast = to_percent(ahead), published[horizon - 1]
        figures: list[tuple[str, FloatArray, float]] = [
            (name, metric(actual, forecast), metrics.overall(metric, actual, forecast))
            for name, metric in (
                ("mae", metrics.mean_absolute_error),
                ("r2_against_zero", metrics.r2_against_zero),
            )
        ]
        for bounds in intervals[horizon - 1]:
            percent = round(100 * bounds.level)
            for name, entries in (
                (f"coverage_{percent}", bounds.covers(actual)),
                (f"interval_score_{percent}", bounds.score(actual)),
            ):
                together = float(metrics.mean_of_counted(entries.reshape(-1, 1))[0])
                figures.append((name, metrics.mean_of_counted(entries), together))
        counts = metrics.counted_rows(actual)
        for name, values, together in figures:
            entries_by_symbol: list[tuple[str | None, int, float]] = [
                (None, int(counts.sum()), together),
                *zip(dataset.symbols, counts.tolist(), np.asarray(values).tolist(), strict=True),
            ]
            for symbol, count, value in entries_by_symbol:
                yield Score(
                    predictor="model",
                    target=f"horizon_{horizon}_pct",
                    symbol=symbol,
                    split="test",
                    first_date=dataset.dates[origins.start + horizon - 1].item(),
                    last_date=dataset.dates[origins.stop - 1].item(),
                    rows=count,
                    metric=name,
                    value=value,
                    horizon=horizon,
                )
