"""A walk-forward backtest, started by hand."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task

from roi_airflow.api_server.links import OWN_TAG
from roi_airflow.notification import report_failure
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.dataset_tasks import dataset_of
from roi_airflow.tasks.reasons import REASONS
from roi_airflow.tasks.stage import (
    begin_run,
    current_run_id,
    due_moment,
    given_parameters,
    open_stage,
)
from roi_forecast.config import BacktestRunConfig
from roi_forecast.settings import TRAINING_POOL

DOCUMENTATION = """
Walks forward through past prices: refits ridge regression and the network as time goes on and
forecasts what follows, beside forecasts that need no fitting. Nothing is published and no champion
changes.

Query the result in the market database: `roi.backtest_folds` has one line a fold and predictor, and
one without a fold for all of them together. The log of the last task names the plot.
"""


@dag(
    dag_id="backtest_roi_forecast",
    schedule=None,
    catchup=False,
    max_active_runs=4,
    is_paused_upon_creation=False,
    params=run_parameters(BacktestRunConfig),
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        **REASONS,
    },
    on_failure_callback=report_failure,
    doc_md=DOCUMENTATION,
    tags=[OWN_TAG],
)
def backtest_roi_forecast() -> None:
    """Wire the stages together; each task is one call into the library."""

    @task(retries=0)
    def resolve_backtest() -> list[list[str]]:
        """Check parameters and preconditions; return the symbols to extract, in batches."""
        from roi_forecast.market.extraction import extraction_batches
        from roi_forecast.planning.resolve import resolve_backtest as resolve

        with begin_run() as installation:
            run = resolve(
                installation.engine,
                installation.settings,
                current_run_id(),
                given_parameters(),
                now=due_moment(),
            )
        return extraction_batches(run.extraction_symbols)

    @task(queue="gpu", pool=TRAINING_POOL, retries=2, execution_timeout=timedelta(hours=12))
    def walk_forward(dataset_id: str) -> None:
        """Walk forward with every predictor, going on where a killed attempt stopped."""
        from roi_forecast.backtest.run import run_backtest
        from roi_forecast.features.storage import load_dataset

        with open_stage(last=True) as stage:
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            run_backtest(stage.engine, stage.run, dataset, stage.settings.backtests_directory)

    walk_forward(dataset_of(resolve_backtest()))


backtest_roi_forecast()
