"""A wrong value reads the same at each door: form and REST, the terminal, and the run itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from roi_airflow.refusals import KINDS, form_defaults, refusal
from roi_forecast.errors import RoiForecastError
from roi_forecast.planning import resolve
from roi_forecast.settings import Settings
from roi_local.command import one_line
from roi_local.run_parameters import CONF_VARIABLE, run_parameters

DAILY, BACKTEST, TUNING = "daily_roi_forecast", "backtest_roi_forecast", "tune_roi_forecast"
TOMORROW = str(datetime.now(UTC).date() + timedelta(days=1))

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (DAILY, {"epoch": 3}, "epoch: unknown parameter, received 3; did you mean epochs?"),
    (DAILY, {"zzz": {"a": 1}}, "zzz: unknown parameter, received {'a': 1}; allowed are preset,"),
    (DAILY, {"epochs": "many"}, "epochs: received 'many'; allowed is integer from 1 to 5000"),
    (DAILY, {"epochs": 0}, "epochs: received 0; allowed is integer from 1 to 5000"),
    (DAILY, {"epochs": 2.5}, "epochs: received 2.5; allowed is integer"),
    (DAILY, {"epochs": None}, "epochs: received None; allowed is integer"),
    (DAILY, {"epochs": 0, "batch_size": 0}, "epochs: received 0; allowed is"),
    (DAILY, {"epochs": 0, "batch_size": 0}, "; batch_size: received 0; allowed is"),
    (DAILY, {"preset": "fast"}, "preset: received 'fast'; allowed is one of 'reference', 'quick'"),
    (DAILY, {"source": "elsewhere"}, "source: received 'elsewhere'; allowed is one of 'yahoo'"),
    (DAILY, {"symbols": "AAPL"}, "symbols: received 'AAPL'; allowed is array"),
    (DAILY, {"symbols": [7]}, "symbols.0: received 7; allowed is array"),
    (DAILY, {"symbols": ["SAP.XY"]}, "symbol 'SAP.XY': the exchange suffix '.XY' is not declared"),
    (DAILY, {"symbols": ["eurusd"]}, "symbol 'EURUSD': Yahoo writes it 'EURUSD=X'; use that"),
    (DAILY, {"symbols": ["a/b"]}, "symbol 'A/B' is not a Yahoo symbol"),
    (DAILY, {"symbols": ["AAPL", "aapl "]}, "list each symbol once; duplicates: AAPL"),
    (DAILY, {"context_symbols": ["^XYZ1"]}, "symbol '^XYZ1': no exchange lists this index"),
    (
        DAILY,
        {"as_of_date": "2199-01-01"},
        "as_of_date: received 2199-01-01; the last session whose",
    ),
    (DAILY, {"as_of_date": TOMORROW}, f"as_of_date: received {TOMORROW}; the last session whose"),
    (DAILY, {"as_of_date": "yesterday"}, "as_of_date: received 'yesterday'; allowed is string"),
    (DAILY, {"start_date": "2199-01-01"}, "received 2199-01-01; it must lie before the as-of date"),
    (
        DAILY,
        {"start_date": "2024-02-01", "as_of_date": "2024-01-05"},
        "start_date: received 2024-02-01; it must be before the as_of_date 2024-01-05",
    ),
    (DAILY, {"source": "csv"}, "csv_path: received nothing; source csv needs a file or folder"),
    (
        DAILY,
        {"source": "csv", "csv_path": "/prices.csv", "as_of_date": "2199-01-01"},
        "as_of_date: received 2199-01-01; it must not lie in the future, today is 20",
    ),
    (DAILY, {"source": "twelve_data"}, "source: received 'twelve_data', which needs a key: put"),
    (DAILY, {"seq_len": 10, "smoothing": 11}, "smoothing: received 11; it must not exceed seq_len"),
    (DAILY, {"loss": "weighted_mse"}, "loss: received 'weighted_mse' without weights"),
    (DAILY, {"model_name": "My Model"}, "model_name: received 'My Model'; allowed is"),
    (DAILY, {"horizons": [5, 5]}, "horizons: received [5, 5]; list each horizon once"),
    (BACKTEST, {"first_target_date": "2199-01-01"}, "it must not lie after the as-of date 20"),
    (BACKTEST, {"gate_override_reason": "because"}, "gate_override_reason: unknown parameter"),
    (TUNING, {"tuned": ["smoothing"]}, "tuned.0: received 'smoothing'; allowed is array"),
]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ROI_TWELVE_DATA_KEY", raising=False)
    monkeypatch.setenv("ROI_HOME", str(tmp_path))


def at_the_api(dag_id: str, conf: dict[str, Any]) -> str | None:
    return refusal(dag_id, conf, now=datetime.now(UTC), settings=Settings.of_prices())


def at_the_terminal(dag_id: str, conf: dict[str, Any]) -> str:
    with pytest.raises(RoiForecastError) as error:
        run_parameters({CONF_VARIABLE: json.dumps(conf)}, KINDS[dag_id])
    return one_line(str(error.value))


def in_the_run(dag_id: str, conf: dict[str, Any]) -> str:
    engine = create_engine("postgresql+psycopg://nobody@nowhere.invalid/none")
    arguments: list[Any] = [engine, Settings.of_prices(), "run", conf]
    functions: dict[str, Any] = {
        BACKTEST: resolve.resolve_backtest,
        TUNING: resolve.resolve_tuning,
    }
    if dag_id == DAILY:
        functions[DAILY] = resolve.resolve_run
        arguments.append(lambda other: False)
    with pytest.raises(RoiForecastError) as error:
        functions[dag_id](*arguments, now=datetime.now(UTC))
    return one_line(str(error.value))


@pytest.mark.parametrize(("dag_id", "conf", "words"), REFUSED)
def test_a_refused_value_reads_the_same_at_each_door(
    dag_id: str, conf: dict[str, Any], words: str
) -> None:
    # Without a source the terminal takes the simulated market.
    conf = {"source": "simulated", **conf}
    reason = at_the_api(dag_id, conf)
    assert reason is not None
    assert words in reason
    assert reason == at_the_terminal(dag_id, conf)
    assert reason == in_the_run(dag_id, conf)


@pytest.mark.parametrize(("dag_id", "conf", "words"), REFUSED)
def test_the_form_which_sends_every_value_is_refused_in_the_same_words(
    dag_id: str, conf: dict[str, Any], words: str
) -> None:
    sent = {**form_defaults(KINDS[dag_id]), **conf}
    assert at_the_api(dag_id, sent) == at_the_api(dag_id, conf)


def test_a_file_that_is_missing_is_named_before_anything_starts(tmp_path: Path) -> None:
    conf = {"source": "csv", "csv_path": str(tmp_path / "nowhere.csv")}
    reason = at_the_api(DAILY, conf)
    assert reason == (
        f"the run cannot start: {tmp_path}/nowhere.csv: no such file or folder on this machine; "
        "csv_path must be a path that the workers see"
    )
    assert at_the_terminal(DAILY, conf) == reason


@pytest.mark.parametrize("folder", ["", "other"])
def test_a_path_outside_the_folder_of_price_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("ROI_CSV_DIRECTORY", str(tmp_path / "prices"))
    conf = {"source": "csv", "csv_path": str(tmp_path / folder)}
    reason = at_the_api(DAILY, conf)
    assert reason is not None
    assert "expected a path within" in reason
    assert reason == at_the_terminal(DAILY, conf) == in_the_run(DAILY, conf)


def test_where_tasks_have_another_environment_neither_key_nor_file_is_missed() -> None:
    for conf in ({"source": "twelve_data"}, {"source": "csv", "csv_path": "/nowhere.csv"}):
        assert refusal(DAILY, conf, now=datetime.now(UTC), settings=None) is None


@pytest.mark.parametrize(
    ("dag_id", "words"),
    [
        ("roll_back_champion", "version: unknown parameter, received 'x'; did you mean version_id"),
        ("prune_registry", "version: unknown parameter, received 'x'; did you mean keep_versions"),
    ],
)
def test_dags_without_prices_are_asked_too(dag_id: str, words: str) -> None:
    reason = at_the_api(dag_id, {"version": "x"})
    assert reason is not None
    assert words in reason


@pytest.mark.parametrize("dag_id", KINDS)
def test_a_form_that_nobody_touched_is_accepted(dag_id: str) -> None:
    assert at_the_api(dag_id, form_defaults(KINDS[dag_id])) is None
    assert at_the_api(dag_id, {}) is None


def test_what_a_preset_sets_contradicts_no_value_that_the_form_left_untouched() -> None:
    form = form_defaults(KINDS[DAILY])
    assert at_the_api(DAILY, {**form, "preset": "small_memory", "smoothing": 30}) is None
    assert at_the_api(DAILY, {**form, "preset": "small_memory", "smoothing": 31}) is not None


def test_a_study_may_set_a_window_that_its_run_does_not_give() -> None:
    conf = {"preset": "small_memory", "smoothing": 31, "tuned_study": "autumn"}
    assert at_the_api(DAILY, conf) is None
