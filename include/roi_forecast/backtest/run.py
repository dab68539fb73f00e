"""A backtest: the configured predictors and their peers walk forward through a run's dataset."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlalchemy import Engine, delete

from roi_forecast.backtest.files import networks_directory, write_plot
from roi_forecast.backtest.fold_scores import BACKTEST, fold_scores
from roi_forecast.backtest.naive_walks import naive_walks
from roi_forecast.backtest.network_trainer import NetworkTrainer
from roi_forecast.backtest.plot import draw_backtest
from roi_forecast.backtest.walk_forward import FitNetwork, WalkForward, walk_forward
from roi_forecast.blas import on_one_blas_thread
from roi_forecast.config import BacktestConfig, RunConfig
from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import evaluations
from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS
from roi_forecast.evaluation.stored_evaluation import insert_scores
from roi_forecast.features.dataset import Dataset
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

MODEL, LINEAR = "model", "linear"


@on_one_blas_thread
def run_backtest(
    engine: Engine, run: ResolvedRun, dataset: Dataset, backtests_directory: DataPath
) -> dict[str, WalkForward]:
    """Walk forward, store the figures of every fold in `evaluations` and draw the plot.

    A second call for the same run replaces its figures. Networks that an earlier call trained on
    the same rows with the same settings, killed or not, are taken as they are.

    Args:
        engine: Market database.
        run: The resolved backtest.
        dataset: Its prices; no row lies after the run's as-of date.
        backtests_directory: Folder of all backtests.

    Returns:
        The walk-forward of each predictor.

    Raises:
        EvaluationError: The run is no backtest, or its dates leave too few rows before or after the
            first target.
        TrainingError: A network could not be trained.
    """
    if run.backtest is None:
        raise EvaluationError(
            f"run {run.run_id!r} is a daily run; resolve a backtest to walk forward"
        )
    networks = networks_directory(backtests_directory)
    walks = walk_through(dataset, run.backtest, run.config, networks)
    _store(engine, run, dataset, walks)
    picture = draw_backtest(walks, _title(run, dataset, walks))
    plot = write_plot(backtests_directory, run.run_id, picture)
    logger.info("the plot of the folds is %s", plot)
    return walks


def walk_through(
    dataset: Dataset, backtest: BacktestConfig, config: RunConfig, networks_directory: DataPath
) -> dict[str, WalkForward]:
    """Walk forward with each predictor over the same folds; nothing but networks is written.

    Args:
        dataset: The rows; its own split gives the first target date where none is named.
        backtest: How to walk.
        config: The network, the linear part, the horizons and the share of validation rows.
        networks_directory: Where the trainings of the folds are kept.

    Returns:
        By predictor: the configured ones, then the naive ones.

    Raises:
        EvaluationError: The dates leave too few rows before or after the first target.
        TrainingError: A network could not be trained.
    """
    first_date = backtest.first_target_date or dataset.dates[dataset.split.test.start].item()
    sessions = int((dataset.dates >= dataset.dates.dtype.type(first_date)).sum())
    if sessions < BLOCK_SESSIONS:
        raise EvaluationError(
            f"first_target_date: received {first_date}, which leaves {sessions} sessions to "
            f"forecast up to {dataset.dates[-1]}; at least {BLOCK_SESSIONS} are needed: name an "
            "earlier date"
        )
    neural = MODEL in backtest.predictors
    if neural and -(-sessions // backtest.refit_every) > backtest.max_network_folds:
        logger.info(
            "refitting every %d sessions would train %d networks; the folds are longer, so that "
            "max_network_folds %d are enough",
            backtest.refit_every,
            -(-sessions // backtest.refit_every),
            backtest.max_network_folds,
        )
    predictors: dict[str, FitNetwork | None] = {
        LINEAR: None,
        MODEL: NetworkTrainer(config, networks_directory),
    }
    walks: dict[str, WalkForward] = {}
    for predictor, fit_network in predictors.items():
        if predictor in backtest.predictors:
            walks[predictor] = walk_forward(
                dataset,
                first_date,
                fit_network=fit_network,
                horizons=sorted({1, *config.horizons}),
                method=config.multi_step,
                half_life=config.half_life,
                refit_every=backtest.refit_every,
                window=backtest.window_sessions,
                validation_share=config.validation_share,
                max_folds=backtest.max_network_folds if neural else None,
                predictor=predictor,
            )
    return {**walks, **naive_walks(dataset, next(iter(walks.values())))}


def _store(
    engine: Engine, run: ResolvedRun, dataset: Dataset, walks: Mapping[str, WalkForward]
) -> None:
    scores = (each for predictor, walk in walks.items() for each in fold_scores(walk, predictor))
    with engine.begin() as connection:
        connection.execute(
            delete(evaluations).where(
                evaluations.c.run_id == run.run_id, evaluations.c.split == BACKTEST
            )
        )
        insert_scores(connection, run.run_id, None, dataset.dataset_id, scores)


def _title(run: ResolvedRun, dataset: Dataset, walks: Mapping[str, WalkForward]) -> str:
    walk = next(iter(walks.values()))
    label = " (simulated prices)" if dataset.source == "simulated" else ""
    return (
        f"Backtest of {run.model_name}{label}: {len(dataset.symbols)} assets, {walk.dates[0]} to "
        f"{walk.dates[-1]}, {len(walk.folds)} folds"
    )
