"""A walk-forward backtest, triggered manually."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task

from roi_airflow.dag_arguments import DAG_ARGUMENTS
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.dataset_tasks import dataset_of, resolve_symbols
from roi_airflow.tasks.stage import begin_run, open_stage
from roi_forecast.config import BacktestRunConfig
from roi_production.training_pod import training_arguments

DOCUMENTATION = """
Walks forward through past prices: refits the linear part and the network as time passes and
forecasts the sessions that follow, next to forecasts that need no fitting. It publishes nothing and
changes no champion.

The results are in the market database: `roi.backtest_folds` has a row for each fold and predictor,
and one without a fold for all folds together. The log of the last task names the plot.
"""


@dag(
    **DAG_ARGUMENTS,
    schedule=None,
    max_active_runs=4,
    params=run_parameters(BacktestRunConfig),
    doc_md=DOCUMENTATION,
)
def backtest_roi_forecast() -> None:
    """Wire the stages together; each task is one call into the library."""

    @task(retries=0)
    def resolve_backtest() -> list[list[str]]:
        """Check parameters and preconditions; return the symbols to extract, in batches."""
        from roi_forecast.planning import resolve

        with begin_run() as installation:
            return resolve_symbols(installation, resolve.resolve_backtest)

    @task(**training_arguments(), execution_timeout=timedelta(hours=12))
    def walk_forward(dataset_id: str) -> None:
        """Walk forward with every predictor, continuing where a killed attempt stopped."""
        from roi_forecast.backtest.run import run_backtest

        with open_stage(last=True) as stage:
            dataset = stage.load_dataset(dataset_id)
            run_backtest(stage.engine, stage.run, dataset, stage.settings.backtests_directory)

    walk_forward(dataset_of(resolve_backtest()))


backtest_roi_forecast()
