"""Evaluating a candidate: predictions, scores beside the baselines, and the champion's again."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from roi_forecast.blas import on_one_blas_thread
from roi_forecast.errors import RegistryError, RoiForecastError
from roi_forecast.evaluation.comparison import compare_with_champion
from roi_forecast.evaluation.fit import FitFigures, judge_fit
from roi_forecast.evaluation.horizon_scores import score_horizons
from roi_forecast.evaluation.overall_figures import log_figures, overall_figures
from roi_forecast.evaluation.plot_files import save_plots
from roi_forecast.evaluation.scores import SPLITS, CandidateScores, Score, score_candidate
from roi_forecast.evaluation.stored_evaluation import (
    COMMON,
    store_metrics,
    store_scores,
)
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.rows import load_rows
from roi_forecast.features.scaling import FloatArray
from roi_forecast.files.artifacts import PLOTS_DIRECTORY
from roi_forecast.files.verified import open_listing
from roi_forecast.forecaster.horizons import HorizonCalibration
from roi_forecast.gate.carried_out import find_carried_out
from roi_forecast.network.predictor import Predictor, load_predictor
from roi_forecast.network.ridge import fit_ridge
from roi_forecast.network.training.result import find_members, read_result
from roi_forecast.registry.versions import (
    ModelVersion,
    find_champion,
    find_version,
    has_served_or_forecast,
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
    """Score a candidate, store every figure, and write its calibration beside the model.

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
        carried_out = find_carried_out(connection, run.run_id, version_id)
    if carried_out is not None:
        logger.info("version %s was promoted for this run already", version_id)
        return carried_out.opponent
    directory = version.directory(models_directory)
    # What an earlier evaluation wrote may not be registered: each file is checked once it is read.
    files = open_listing(directory, RegistryError)
    manifest = files.manifest
    # A version that goes on from another one has that one's columns and scaler.
    dataset = Preprocessing.load(files).read(dataset)
    predictor = load_predictor(files)
    predictions = {
        split: predictor.predict(
            dataset.scaled, dataset.scaled_log_roi, getattr(dataset.split, split)
        )
        for split in SPLITS
    }
    # The version's own penalty: a run that takes it again might carry another one.
    ridge = fit_ridge(dataset, float(version.hyperparameters["ridge_penalty"]))
    result = score_candidate(dataset, predictions, ridge)
    calibration = HorizonCalibration.fit(
        dataset,
        result.calibration,
        predictor.forecast_windows,
        float(version.hyperparameters["ridge_penalty"]),
    )
    scores = [
        *result.scores,
        *score_horizons(
            dataset,
            calibration,
            run.config.multi_step,
            predictor.forecast_windows,
            run.config.horizons,
        ),
    ]
    opponent = None
    if champion is not None and champion.is_simulated == version.is_simulated:
        opponent = champion.version_id
        try:
            scores += _score_champion(
                engine, run, dataset, predictions["test"], champion, models_directory
            )
        except RoiForecastError as error:
            # No figures: the gate rejects, unless the run overrides it with a reason.
            logger.warning("champion %s cannot be scored: %s", opponent, error)
    figures = {**overall_figures(result), **_fit(result, version, directory)}
    record = {
        **manifest.get("training_record", {}),
        "evaluation_seconds": round(time.perf_counter() - began, 3),
    }
    manifest = {**manifest, "training_record": record}
    store_scores(engine, run, version, dataset, scores, published=published)
    if not published:
        shutil.rmtree(directory / PLOTS_DIRECTORY, ignore_errors=True)
        save_plots(dataset, predictions["test"], result.calibration, directory, version.version_id)
        store_metrics(
            engine, version, manifest, directory, figures, calibration, _sample(dataset, predictor)
        )
    log_figures(figures)
    return opponent


def _score_champion(
    engine: Engine,
    run: ResolvedRun,
    dataset: Dataset,
    candidate_test: FloatArray,
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
        candidate_test,
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


def _fit(result: CandidateScores, version: ModelVersion, directory: Path) -> dict[str, Any]:
    def of(predictor: str) -> tuple[float, float]:
        target, metric = "smoothed_scaled", "r2"
        training = result.value(predictor, target, metric, "train")
        return training, result.value(predictor, target, metric, "validation")

    figures = FitFigures(of("model"), of("ridge"), of("noise_limit"))
    found = [read_result(member) for member in find_members(directory)]
    trainings = [training for training in found if training is not None]
    fit = judge_fit(figures, trainings, version.hyperparameters)
    logger.info("fit: %s: %s", fit.verdict, fit.advice)
    return {
        "train_r2": figures.model[0],
        "validation_r2": figures.model[1],
        "train_noise_limit_r2": figures.noise_limit[0],
        "validation_noise_limit_r2": figures.noise_limit[1],
        "fit_verdict": fit.verdict,
        "fit_advice": fit.advice,
    }


def _sample(dataset: Dataset, predictor: Predictor) -> dict[str, Any]:
    rows = slice(-dataset.seq_len, None)
    scaled, scaled_log_roi = dataset.scaled[rows], dataset.scaled_log_roi[rows]
    next_row = range(dataset.seq_len, dataset.seq_len + 1)
    return {
        "scaled": scaled,
        "scaled_log_roi": scaled_log_roi,
        "expected": predictor.predict(scaled, scaled_log_roi, next_row),
    }
