"""Evaluating a candidate: predictions, scores next to the baselines, and the champion's again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from sqlalchemy import Engine

from roi_forecast.blas import on_one_blas_thread
from roi_forecast.config import RunConfig
from roi_forecast.data_path import DataPath
from roi_forecast.errors import RoiForecastError
from roi_forecast.evaluation.baselines import no_skill, persistence, zero
from roi_forecast.evaluation.comparison import compare_with_champion
from roi_forecast.evaluation.fit import fit_figures
from roi_forecast.evaluation.overall_figures import SMOOTHED, TEST, log_figures, overall_figures
from roi_forecast.evaluation.plot_files import read_trainings, save_plots
from roi_forecast.evaluation.scores import (
    Score,
    counted_smoothed,
    score_forecasts,
    score_network,
    score_smoothed,
)
from roi_forecast.evaluation.stored_evaluation import (
    COMMON,
    SPLITS,
    store_figures,
    store_scores,
)
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rows import load_rows
from roi_forecast.forecaster.forecaster import Forecaster
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.network.training.result import find_members
from roi_forecast.registry.carried_out import find_carried_out
from roi_forecast.registry.versions import (
    ModelVersion,
    find_champion,
    find_version,
    has_served_or_forecast,
    open_version,
)
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import load_universe

logger = logging.getLogger(__name__)

R2, SESSIONS = "r2_against_zero", "sessions"
R2_GAIN, INTERVAL_GAIN = "r2_gain", "interval_gain"
LOWER, UPPER = "_lower_95", "_upper_95"


@on_one_blas_thread
def evaluate_model(
    engine: Engine, run: ResolvedRun, dataset: Dataset, version_id: str, models_directory: DataPath
) -> str | None:
    """Score a candidate, store every figure and draw its plots; its files stay as they are.

    The serving champion is scored again on the same target dates, as far as it was not fitted on
    them, unless one of the two comes from simulated prices: then the gate needs no figures.

    Of a candidate that nobody has published yet, an evaluation takes the place of the one before.
    A version that ever served or forecast keeps its files and figures: only what this run compares
    is stored, and the scores of horizons that it has none of. Once the version was promoted for
    this run, nothing is.

    Args:
        engine: Market database.
        run: The resolved run; no price after its as-of date is read.
        dataset: What the candidate was trained on.
        version_id: The candidate.
        models_directory: Folder of the registry.

    Returns:
        The version it was compared with, or None. The overall figures on the test rows are in
        `model_versions.metrics`.

    Raises:
        EvaluationError: The candidate cannot be scored.
        RegistryError: A model's files are missing or damaged.
    """
    began = time.perf_counter()
    with engine.connect() as connection:
        version = find_version(connection, version_id)
        champion = find_champion(connection, run.model_name)
        published = has_served_or_forecast(connection, version_id)
        decision = find_carried_out(connection, run.run_id, version_id)
    if decision is not None:
        logger.info("version %s was promoted for this run already", version_id)
        return decision.opponent
    files = open_version(version, models_directory)
    forecaster = Forecaster.load(files)
    # A version that continues from another one has that one's columns and scaler.
    dataset = forecaster.preprocessing.read(dataset)
    forecasts = forecast_splits(forecaster, dataset, run.config)
    linear = forecasts
    if forecaster.calibration.publishes_network(run.config.multi_step):
        linear = forecast_splits(replace(forecaster, predictor=None), dataset, run.config)
    scores = list(score_candidate(dataset, forecasts, linear))
    trainings = read_trainings(find_members(files.directory))
    figures = {
        **overall_figures(scores),
        "network_factor": forecaster.calibration.network,
        **fit_figures(scores, trainings, version.hyperparameters),
    }
    opponent = None
    if champion is not None and champion.is_simulated == version.is_simulated:
        opponent = champion.version_id
        try:
            scores += _score_champion(
                engine, run, dataset, forecasts[TEST], champion, models_directory
            )
        except RoiForecastError as error:
            # No figures: the gate rejects, unless the run overrides it with a reason.
            logger.warning("champion %s cannot be scored: %s", opponent, error)
    store_scores(engine, run, version, dataset, scores, published=published)
    if not published:
        save_plots(dataset, forecasts[TEST], trainings, version, models_directory)
        figures["evaluation_seconds"] = round(time.perf_counter() - began, 3)
        store_figures(engine, version, figures)
    log_figures(figures)
    return opponent


def forecast_splits(
    forecaster: Forecaster, dataset: Dataset, config: RunConfig
) -> dict[str, Forecasts]:
    """Forecast each part of the split: test rows at all horizons with bounds, the others the next.

    Args:
        forecaster: The version.
        dataset: Its rows, prepared as it needs them.
        config: Names the horizons and how those beyond the next session are forecast.

    Raises:
        EvaluationError: There are too few errors before the test for an interval.
    """
    horizons = sorted({1, *config.horizons})
    return {
        split: forecaster.forecast(
            dataset,
            getattr(dataset.split, split),
            horizons if split == TEST else (1,),
            config.multi_step,
            with_bounds=split == TEST,
        )
        for split in SPLITS
    }


def score_candidate(
    dataset: Dataset, forecasts: Mapping[str, Forecasts], linear: Mapping[str, Forecasts]
) -> Iterator[Score]:
    """Score a candidate next to its linear part and what needs no training.

    Args:
        dataset: The rows of the candidate.
        forecasts: The candidate's, for each part of the split.
        linear: Those of its linear part alone, likewise.
    """
    for split, model in forecasts.items():
        targets = model.origins
        rows = slice(targets.start, targets.stop)
        predictors = {
            "model": model,
            "linear": linear[split],
            "no_skill": no_skill(dataset, targets),
            "persistence": persistence(dataset, targets),
            "zero": zero(dataset, targets),
        }
        smoothed = counted_smoothed(dataset, targets)
        for predictor, found in predictors.items():
            yield from score_smoothed(
                smoothed,
                dataset.scaler.transform(found.smoothed[0]),
                dataset.symbols,
                predictor,
                SMOOTHED,
                split,
                dataset.dates[rows],
            )
            yield from score_forecasts(found, dataset, predictor, split)
        yield from score_network(model, linear[split], dataset, split)


def _score_champion(
    engine: Engine,
    run: ResolvedRun,
    dataset: Dataset,
    candidate: Forecasts,
    champion: ModelVersion,
    models_directory: DataPath,
) -> list[Score]:
    files = open_version(champion, models_directory)
    forecaster = Forecaster.load(files)
    with engine.connect() as connection:
        rows = load_rows(
            connection,
            run.source_key,
            load_universe().select(champion.symbols),
            min(run.start_date, champion.first_date),
            run.as_of_date,
            max_lost_share=1.0,
            carries_in=True,
            context=forecaster.preprocessing.context,
        )
    compared = compare_with_champion(
        dataset,
        candidate,
        forecaster,
        rows,
        date.fromisoformat(files.manifest["last_fitted_date"]),
        run.config.multi_step,
    )
    figures: list[tuple[str, str | None, str, float]] = [
        ("model", None, R2, compared.candidate_r2),
        ("champion", None, R2, compared.champion_r2),
        ("model", None, SESSIONS, compared.sessions),
    ]
    for name, gain in ((R2_GAIN, compared.r2_gain), (INTERVAL_GAIN, compared.interval_gain)):
        bounds = {"": gain.mean, LOWER: gain.lower_95, UPPER: gain.upper_95}
        figures += [("model", None, name + bound, value) for bound, value in bounds.items()]
    for symbol, (candidate_r2, champion_r2) in compared.asset_r2.items():
        figures.append(("model", symbol, R2, candidate_r2))
        figures.append(("champion", symbol, R2, champion_r2))
    period = (TEST, compared.first_date, compared.last_date, compared.rows)
    return [
        Score(predictor, COMMON, symbol, *period, metric, value)
        for predictor, symbol, metric, value in figures
    ]
