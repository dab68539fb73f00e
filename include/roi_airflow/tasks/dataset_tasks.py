"""The tasks from a run's symbols to its dataset, shared by the DAGs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task

from roi_airflow.assets import DATASET, PRICES, describe_event
from roi_airflow.tasks.retries import ExponentialBackoff
from roi_airflow.tasks.stage import (
    Installation,
    current_run_id,
    due_moment,
    given_parameters,
    open_stage,
    session_of_run,
    will_retry,
)
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.settings import PRICES_POOL

if TYPE_CHECKING:
    from airflow.sdk import XComArg


def resolve_symbols(
    installation: Installation, resolve: Callable[..., ResolvedRun], *arguments: Any
) -> list[list[str]]:
    """Resolve the present run; return the symbols to extract, in batches.

    Args:
        installation: As `begin_run` gives it; its `publish` counts unless the run gives one.
        resolve: Resolves the kind of run.
        arguments: Its arguments between the parameters and the moment.
    """
    from roi_forecast.market.extraction_batches import extraction_batches

    run = resolve(
        installation.engine,
        installation.settings,
        current_run_id(),
        {"publish": installation.settings.publish, **given_parameters()},
        *arguments,
        now=due_moment(),
        session=session_of_run(),
    )
    return extraction_batches(run.extraction_symbols)


@task(
    pool=PRICES_POOL,
    retries=3,
    retry_policy=ExponentialBackoff(timedelta(seconds=20), timedelta(minutes=10)),
    execution_timeout=timedelta(hours=1),
    map_index_template="{{ symbol }}",
    doc_md="Store the bars of one asset, or of a batch of assets, that are new or changed.",
)
def extract_prices(symbols: list[str]) -> None:
    """Store the bars of some assets that are new or changed."""
    from roi_forecast.market.extraction_batches import extract_batch
    from roi_forecast.market.sources.registry import open_source

    label = symbols[0] if len(symbols) == 1 else f"{symbols[0]} to {symbols[-1]}"
    get_current_context()["symbol"] = label  # type: ignore[typeddict-unknown-key]
    with open_stage() as stage:
        source = open_source(stage.run.config, stage.settings, symbols)
        extract_batch(
            stage.engine,
            stage.run,
            symbols,
            source,
            now=datetime.now(UTC),
            will_retry=will_retry(),
            done_since=stage.started_trying_at(),
        )


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, outlets=[PRICES])
def check_prices() -> None:
    """Check the stored prices; the quorum decides whether the run continues."""
    from roi_forecast.market.checks.price_checks import check_prices as check
    from roi_forecast.market.extraction import count_changed_rows

    with open_stage() as stage:
        report = check(stage.engine, stage.run)
        describe_event(
            PRICES,
            run_id=stage.run.run_id,
            source=stage.run.source_key,
            as_of_date=str(stage.run.as_of_date),
            usable_assets=len(report.usable),
            changed_rows=count_changed_rows(stage.engine, stage.run.run_id),
        )


@task(outlets=[DATASET])
def build_dataset() -> str:
    """Build the dataset; return its id."""
    from roi_forecast.features.build import build_dataset as build

    with open_stage() as stage:
        dataset = build(stage.engine, stage.run, stage.settings.datasets_directory)
        describe_event(
            DATASET,
            run_id=stage.run.run_id,
            dataset_id=dataset.dataset_id,
            source=dataset.source,
            first_date=str(dataset.dates[0]),
            last_date=str(dataset.dates[-1]),
            assets=len(dataset.symbols),
            rows=len(dataset.dates),
        )
    return dataset.dataset_id


def dataset_of(batches: Any) -> XComArg:
    """Add extraction, checks and building to the current DAG.

    Args:
        batches: The symbols to extract, in batches: the result of the task that resolves the run.

    Returns:
        The id of the dataset.
    """
    dataset_id = build_dataset()
    extract_prices.expand(symbols=batches) >> check_prices() >> dataset_id
    return dataset_id
