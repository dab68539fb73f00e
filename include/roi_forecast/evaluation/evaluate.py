"""Evaluating a candidate: predictions, scores next to the baselines, and the champion's again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Engine

from roi_forecast.array_types import FloatArray
from roi_forecast.blas import on_one_blas_thread
from roi_forecast.config import RunConfig
from roi_forecast.errors import RoiForecastError
from roi_forecast.evaluation.baselines import (
    no_skill,
    persistence,
    ridge_forecasts,
    ridge_shrinkage,
    training_mean,
)
from roi_forecast.evaluation.comparison import compare_with_champion
from roi_forecast.evaluation.fit import fit_figures
from roi_forecast.evaluation.overall_figures import SMOOTHED, TEST, log_figures, overall_figures
from roi_forecast.evaluation.plot_files import read_trainings, save_plots
from roi_forecast.evaluation.scores import (
    Score,
    counted_smoothed,
    score_forecasts,
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
from roi_forecast.network.ridge import Ridge, fit_ridge
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

UPPER_LOSS_DIFFERENCE = "loss_difference_upper_95"
SESSIONS = "sessions"


@on_one_blas_thread
def evaluate_model(
    engine: Engine, run: ResolvedRun, dataset: Dataset, version_id: str, models_directory: Path
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
    # The version's own penalty: a run that takes it again might carry another one.
    ridge = fit_ridge(dataset, float(version.hyperparameters["ridge_penalty"]))
    scores = list(score_candidate(dataset, forecasts, ridge))
    trainings = read_trainings(find_members(files.directory))
    figures = {
        **overall_figures(scores),
        "shrinkage": float(forecaster.calibration.shrinkage[run.config.multi_step][0]),
        **fit_figures(scores, trainings, version.hyperparameters),
    }
    opponent = None
    if champion is not None and champion.is_simulated == version.is_simulated:
        opponent = champion.version_id
        smoothed = dataset.scaler.transform(forecasts[TEST].smoothed[0])
        try:
            scores += _score_champion(engine, run, dataset, smoothed, champion, models_directory)
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
    dataset: Dataset, forecasts: Mapping[str, Forecasts], ridge: Ridge
) -> Iterator[Score]:
    """Score a candidate next to persistence, the training mean, ridge and the no-skill forecast.

    Args:
        dataset: The rows of the candidate.
        forecasts: The candidate's, for each part of the split.
        ridge: The ridge regression of the same training rows.
    """
    ridge_factor = ridge_shrinkage(dataset, ridge)
    for split, model in forecasts.items():
        targets = model.origins
        rows = slice(targets.start, targets.stop)
        predictors = {
            "model": model,
            "persistence": persistence(dataset, targets),
            "training_mean": training_mean(dataset, targets),
            "ridge": ridge_forecasts(dataset, targets, ridge, ridge_factor),
            "no_skill": no_skill(dataset, targets),
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


def _score_champion(
    engine: Engine,
    run: ResolvedRun,
    dataset: Dataset,
    candidate_smoothed: FloatArray,
    champion: ModelVersion,
    models_directory: Path,
) -> list[Score]:
    with engine.connect() as connection:
        rows = load_rows(
            connection,
            run.source_key,
            load_universe().select(champion.symbols),
            min(run.start_date, champion.first_date),
            run.as_of_date,
            max_lost_share=1.0,
            carries_in=True,
        )
    compared = compare_with_champion(
        dataset,
        candidate_smoothed,
        champion.directory(models_directory),
        rows,
        champion_checksum=champion.checksum,
    )
    figures: list[tuple[str, str | None, str, float]] = [
        ("model", None, "r2", compared.candidate_r2),
        ("champion", None, "r2", compared.champion_r2),
        ("model", None, UPPER_LOSS_DIFFERENCE, compared.upper_loss_difference),
        ("model", None, SESSIONS, compared.sessions),
    ]
    for symbol, (candidate_r2, champion_r2) in compared.asset_r2.items():
        figures.append(("model", symbol, "r2", candidate_r2))
        figures.append(("champion", symbol, "r2", champion_r2))
    period = ("test", compared.first_date, compared.last_date, compared.rows)
    return [
        Score(predictor, COMMON, symbol, *period, metric, value)
        for predictor, symbol, metric, value in figures
    ]
