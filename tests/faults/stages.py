"""The stages of a daily run as Airflow runs them: each alone, knowing what those before left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import gate_decisions, model_versions
from roi_forecast.evaluation.evaluate import evaluate_model
from roi_forecast.features.build import build_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.storage import load_dataset
from roi_forecast.gate.decide import decide_promotion
from roi_forecast.market.checks.price_checks import check_prices
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.registry import open_source
from roi_forecast.monitoring.monitor import monitor_champion
from roi_forecast.planning.resolve import resolve_run
from roi_forecast.registry.candidates import combine_members, train_member
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.runs.claims import release_run
from roi_forecast.runs.resolved_run import ResolvedRun, load_run
from roi_forecast.serving.forecast_store import store_forecasts
from roi_forecast.serving.promotion import promote_model, reject_model
from roi_forecast.settings import Settings


class Work:
    """One run in one installation; every method that is a stage may be called again after a kill.

    Args:
        settings: The installation.
        run_id: The run.
        parameters: Of the run.
        now: The present.
    """

    def __init__(
        self, settings: Settings, run_id: str, parameters: dict[str, Any], now: datetime
    ) -> None:
        self.settings = settings
        self.run_id = run_id
        self.parameters = parameters
        self.now = now
        self.engine: Engine = create_database_engine(settings.database_url)
        self.models = settings.models_directory

    @property
    def run(self) -> ResolvedRun:
        return load_run(self.engine, self.run_id)

    @property
    def dataset(self) -> Dataset:
        # Building again what is there gives what is there: this is how a stage finds its input.
        built = build_dataset(self.engine, self.run, self.settings.datasets_directory)
        return load_dataset(built.directory)

    @property
    def version_id(self) -> str:
        with self.engine.connect() as connection:
            return connection.execute(
                select(model_versions.c.version_id).where(model_versions.c.run_id == self.run_id)
            ).scalar_one()

    def resolve_run(self) -> None:
        resolve_run(
            self.engine,
            self.settings,
            self.run_id,
            self.parameters,
            lambda other: False,
            now=self.now,
        )

    def extract_prices(self) -> None:
        run = self.run
        source = open_source(run.config, self.settings)
        for symbol in run.extraction_symbols:
            extract_prices(self.engine, run, symbol, source, now=self.now)

    def check_prices(self) -> None:
        check_prices(self.engine, self.run)

    def build_dataset(self) -> None:
        build_dataset(self.engine, self.run, self.settings.datasets_directory)

    def train_member(self) -> None:
        train_member(self.engine, self.run, self.dataset, self.models, 0, None)

    def combine_members(self) -> None:
        combine_members(self.engine, self.run, self.dataset, self.models, None, now=self.now)

    def evaluate_model(self) -> None:
        evaluate_model(self.engine, self.run, self.dataset, self.version_id, self.models)

    def decide_promotion(self) -> None:
        decide_promotion(self.engine, self.run, self.version_id, None)

    def promote_model(self) -> None:
        promoted = select(gate_decisions.c.passed).where(
            gate_decisions.c.run_id == self.run_id, gate_decisions.c.rule == VERDICT
        )
        with self.engine.connect() as connection:
            passed = connection.execute(promoted).scalar_one()
        if passed:
            promote_model(self.engine, self.models, self.version_id, self.run_id, "test")
        else:
            reject_model(self.engine, self.version_id)

    def forecast(self) -> None:
        store_forecasts(
            self.engine,
            self.run,
            self.dataset.dataset_id,
            self.models,
            candidate_id=self.version_id,
            now=self.now,
        )

    def monitor_champion(self) -> None:
        monitor_champion(self.engine, self.run)
        release_run(self.engine, self.run_id, now=self.now)


STAGES: dict[str, Callable[[Work], None]] = {
    name: getattr(Work, name)
    for name in (
        "resolve_run",
        "extract_prices",
        "check_prices",
        "build_dataset",
        "train_member",
        "combine_members",
        "evaluate_model",
        "decide_promotion",
        "promote_model",
        "forecast",
        "monitor_champion",
    )
}
