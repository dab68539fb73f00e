"""Results of the DAGs as Airflow assets, on which other DAGs can be scheduled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, get_current_context

if TYPE_CHECKING:
    from roi_forecast.registry.versions import ModelVersion

_GROUP = "roi-forecast"

PRICES = Asset("roi_prices", uri="roi://prices", group=_GROUP)
DATASET = Asset("roi_dataset", uri="roi://dataset", group=_GROUP)
CHAMPION = Asset("roi_champion", uri="roi://champion", group=_GROUP)
FORECASTS = Asset("roi_forecasts", uri="roi://forecasts", group=_GROUP)


def describe_event(asset: Asset, **facts: Any) -> None:
    """Add facts to the event that the current task emits for an asset if it succeeds.

    Args:
        asset: An outlet of the task.
        facts: JSON values: ids of run and version, dates, numbers of rows.
    """
    get_current_context()["outlet_events"][asset].extra.update(facts)


def describe_champion(version: ModelVersion, run_id: str) -> None:
    """Add the version that serves now to the event of the champion.

    Args:
        version: The version.
        run_id: The run that made it champion.
    """
    describe_event(
        CHAMPION,
        run_id=run_id,
        model_name=version.model_name,
        version_id=version.version_id,
        source=version.source,
        assets=len(version.symbols),
        last_date=str(version.last_date),
    )
