"""The dashboard shows metrics that the code sends, and they arrive at a StatsD server."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.observability import stats
from sqlalchemy import Engine, insert
from statsd import StatsClient

from roi_airflow.metrics import figure_metric, measured, send_figures, stage_metrics
from roi_forecast.database.tables import extractions
from roi_forecast.monitoring.run_figures import read_figures
from roi_local.environment import REPOSITORY
from serving_version import Served

DASHBOARD = json.loads((REPOSITORY / "docs" / "grafana-dashboard.json").read_text())
FIGURES = (
    "bars_stored",
    "extractions_failed",
    "promoted",
    "test_r2",
    "next_day_r2_against_zero",
    "forecasts",
    "limits_failed",
    "fallbacks",
)


class Received:
    """The packets that a StatsD server of the test received."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server

    def lines(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._server.recv(65536).decode())
            except TimeoutError:
                return found


@pytest.fixture
def received() -> Iterator[Received]:
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk._shared.observability.metrics.statsd_logger import SafeStatsdLogger
    from airflow.sdk._shared.observability.metrics.validators import PatternAllowListValidator

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.5)
        client = StatsClient("127.0.0.1", server.getsockname()[1], prefix="airflow")
        logger = SafeStatsdLogger(client, PatternAllowListValidator())
        stats.initialize(factory=lambda: logger, export_legacy_names=False)
        yield Received(server)
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


def test_a_stage_sends_its_duration_or_its_error(received: Received) -> None:
    with measured("forecast"):
        pass
    with pytest.raises(ValueError, match="wrong"), measured("forecast"):
        raise ValueError("wrong")
    with pytest.raises(AirflowSkipException), measured("forecast"):
        raise AirflowSkipException
    duration, error = received.lines()
    assert re.fullmatch(r"airflow\.roi\.stage\.forecast\.duration:[\d.]+\|ms", duration)
    assert error == "airflow.roi.stage.forecast.errors:1|c"


def test_every_figure_of_a_run_is_sent(served: Served, received: Received) -> None:
    figures = read_figures(served.engine, "run")
    assert set(figures) == set(FIGURES)
    forecasts = served.outcome.forecasts.added
    assert forecasts == 2 * len(served.outcome.run.config.horizons)
    counted = (figures["forecasts"], figures["promoted"], figures["extractions_failed"])
    assert counted == (forecasts, 1, 0)
    assert figures["bars_stored"] > 500
    assert figures["next_day_r2_against_zero"] < figures["test_r2"] < 1
    send_figures(served.engine, "run", "simulated")
    names = {line.split(":")[0] for line in received.lines()}
    assert names == {f"airflow.{figure_metric(name)}" for name in FIGURES}


def test_figures_that_a_run_does_not_have_are_left_out(market_engine: Engine) -> None:
    row = {"run_id": "r", "symbol": "A", "source": "yahoo", "status": "failed", "rows": 0}
    row |= {"requested_start": "2024-01-01", "requested_end": "2024-02-01"}
    with market_engine.begin() as connection:
        connection.execute(insert(extractions).values(**row, finished_at="2024-02-02T00:00Z"))
    assert read_figures(market_engine, "r") == {
        "bars_stored": 0,
        "extractions_failed": 1,
        "forecasts": 0,
        "limits_failed": 0,
        "fallbacks": 0,
    }


def test_the_dashboard_shows_every_figure_and_every_stage_and_nothing_else() -> None:
    from daily_roi_forecast import daily_roi_forecast

    sent = {figure_metric(name): {""} for name in FIGURES}
    for task_id in daily_roi_forecast().task_ids:
        duration, errors = stage_metrics(task_id)
        # As Prometheus calls the sums of a timing and a counter.
        sent |= {duration: {"_sum", "_count"}, errors: {"_total"}}
    known = {
        "airflow_" + name.replace(".", "_") + suffix
        for name, suffixes in sent.items()
        for suffix in suffixes
    }
    shown = {
        metric
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for metric in re.findall(r"airflow_\w+", target["expr"])
    }
    assert shown == known
