from __future__ import annotations

from typing import Any

import pytest

from roi_forecast.config import (
    PRESETS,
    BacktestRunConfig,
    RunConfig,
    TuningRunConfig,
    asked_model_name,
    parameter_schemas,
    parse_config,
    parse_run_config,
)
from roi_forecast.errors import ConfigError
from roi_forecast.universe import load_universe


def test_defaults_are_those_of_the_reference_run() -> None:
    config = parse_run_config({})
    assert len(config.symbols) == 23
    assert (config.seq_len, config.smoothing, config.lstm_units) == (60, 5, (128, 64))
    assert (config.epochs, config.batch_size, config.learning_rate) == (120, 32, 1e-3)


@pytest.mark.parametrize("nothing", [{}, {"symbols": []}, {"symbols": None}])
def test_without_symbols_a_run_takes_the_universe_and_a_file_is_asked_for_its_own(
    nothing: dict[str, Any],
) -> None:
    default = tuple(asset.symbol for asset in load_universe().assets)
    assert parse_run_config({**nothing, "source": "simulated"}).symbols == default
    assert parse_run_config({**nothing, "source": "csv", "csv_path": "/p.csv"}).symbols == ()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("yahoo", "reference"),
        ("twelve_data", "twelve_data"),
        ("simulated", "simulated"),
        ("csv", "csv_prices"),
    ],
)
def test_model_name_defaults_by_the_kind_of_the_source(source: str, name: str) -> None:
    path = {"csv_path": "/prices.csv"} if source == "csv" else {}
    assert parse_run_config({"source": source, **path}).resolved_model_name == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/NSE_RELIANCE, 1D.csv", "csv_nse_reliance_1d"),
        ("/data/Closes 2024.parquet", "csv_closes_2024"),
        ("/data/prices-2024.12.31.csv.gz", "csv_prices-2024.12.31"),
        ("/data/цены.csv", "csv"),
        (f"/data/{'long_' * 30}.csv", f"csv_{'long_' * 11}long"),
    ],
)
def test_each_file_has_a_model_name_of_its_own_that_is_allowed(path: str, name: str) -> None:
    config = parse_run_config({"source": "csv", "csv_path": path})
    assert config.resolved_model_name == name
    assert parse_run_config({"model_name": name}).model_name == name


def test_the_fallback_source_replaces_the_source_under_a_name_of_its_own() -> None:
    config = parse_run_config({"fallback_source": "twelve_data", "epochs": 7})
    replaced = config.with_fallback_source()
    given = {"source": "twelve_data", "model_name": "reference_twelve_data", "epochs": 7}
    assert replaced == parse_run_config(given)
    assert replaced.resolved_model_name == "reference_twelve_data"


def test_a_run_has_no_fallback_source_unless_given() -> None:
    assert parse_run_config({}).fallback_source is None
    assert "fallback_source" not in BacktestRunConfig.model_fields


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fallback_source": "yahoo"}, "which is the source itself"),
        ({"source": "simulated", "fallback_source": "yahoo"}, "only yahoo and twelve_data"),
        (
            {"source": "csv", "csv_path": "/p.csv", "fallback_source": "yahoo"},
            "only yahoo and twelve_data",
        ),
        ({"fallback_source": "csv"}, "fallback_source: received 'csv'"),
        ({"fallback_source": "twelve_data", "model_name": "m" * 52}, "at most 63 are allowed"),
    ],
)
def test_a_fallback_source_that_cannot_stand_in_is_refused(
    values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_run_config(values)


def test_the_longest_name_that_leaves_room_for_the_fallback_source_is_accepted() -> None:
    values = {"fallback_source": "twelve_data", "model_name": "m" * 51}
    name = parse_run_config(values).with_fallback_source().model_name
    assert name is not None
    assert len(name) == 63
    assert parse_run_config({"model_name": name}).resolved_model_name == name


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/data/daily_prices.csv.gz", "csv:daily_prices"),
        ("/data/prices.csv", "csv:prices"),
        ("/data/Prices.TSV.zip", "csv:Prices"),
        ("/data/prices.parquet", "csv:prices"),
        ("/data/folder", "csv:folder"),
    ],
)
def test_source_key_of_a_csv_is_the_name_of_its_file(path: str, key: str) -> None:
    assert parse_run_config({"source": "csv", "csv_path": path}).source_key == key


@pytest.mark.parametrize(
    ("values", "symbols"),
    [
        ({}, ("^GSPC", "^NDX", "INR=X", "CL=F", "INFY", "WIT", "HDB", "IBN")),
        ({"source": "simulated", "context_symbols": ["AAPL"]}, ("AAPL",)),
        ({"context_symbols": []}, ()),
        ({"source": "csv", "csv_path": "/prices.csv"}, ()),
        ({"source": "csv", "csv_path": "/prices.csv", "context_symbols": ["KO"]}, ("KO",)),
        # A symbol may be both.
        ({"symbols": ["AAPL"], "context_symbols": ["AAPL"]}, ("AAPL",)),
    ],
)
def test_context_is_that_of_the_universe_unless_given_and_none_for_a_csv(
    values: dict[str, Any], symbols: tuple[str, ...]
) -> None:
    context = parse_run_config({**values, "publish": "before_open"}).context
    assert (context.symbols, context.publish) == (symbols, "before_open")


LINES = [
    (["AAPL", "MSFT"], ("AAPL", "MSFT")),
    (["aapl", " Msft\t"], ("AAPL", "MSFT")),
    (["AAPL", "", "MSFT", "  ", ""], ("AAPL", "MSFT")),
    (["AAPL, MSFT;gc=f  ^gspc,"], ("AAPL", "MSFT", "GC=F", "^GSPC")),
    (["GC=F\n"], ("GC=F",)),
    (["[]"], ()),
]


@pytest.mark.parametrize(("lines", "symbols"), LINES)
def test_symbols_are_read_as_people_type_them(lines: list[str], symbols: tuple[str, ...]) -> None:
    assert parse_run_config({"context_symbols": lines}).context_symbols == symbols
    default = parse_run_config({}).symbols
    for kind in (RunConfig, BacktestRunConfig, TuningRunConfig):
        assert parse_config(kind, {"symbols": lines}).symbols == (symbols or default)


@pytest.mark.parametrize("lines", [[""], ["", " "], [", ;"]])
def test_lines_without_a_symbol_are_like_nothing_given(lines: list[str]) -> None:
    given = {"symbols": lines, "context_symbols": lines}
    for source in ({"source": "simulated"}, {"source": "csv", "csv_path": "/prices.csv"}):
        assert parse_run_config({**source, **given}) == parse_run_config(source)


def test_schemas_let_any_symbol_pass_and_name_those_of_the_universe() -> None:
    schemas = parameter_schemas()
    assert schemas["context_symbols"]["type"] == ["null", "array"]
    assert schemas["context_symbols"]["default"] is None
    assert schemas["context_symbols"]["offered"][:2] == ["^GSPC", "^NDX"]
    assert schemas["symbols"]["offered"] == [asset.symbol for asset in load_universe().assets]
    for name in ("symbols", "context_symbols"):
        assert not {"examples", "enum"} & schemas[name].keys()
        assert schemas[name]["items"] == {"type": "string"}


@pytest.mark.parametrize("horizons", [[20, 5], [20, 1, 5]])
def test_horizons_are_sorted_and_begin_with_the_next_session(horizons: list[int]) -> None:
    assert parse_run_config({"horizons": horizons}).horizons == (1, 5, 20)


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        ({"epochs": 0}, ["epochs", "received 0", "from 1 to 5000"]),
        ({"epoch": 3}, ["epoch: unknown", "received 3", "did you mean epochs"]),
        ({"zzz": 3}, ["zzz: unknown", "received 3", "allowed are preset, source"]),
        ({"preset": "fast"}, ["preset", "'fast'", "'reference', 'quick', 'small_memory', 'best'"]),
        ({"scaler": "robust"}, ["scaler", "'robust'", "'minmax', 'standard'"]),
        ({"lstm_units": [127, 64]}, ["lstm_units.0", "received 127", "in steps of 2"]),
        ({"symbols": ""}, ["symbols", "''"]),
        ({"horizons": [1, 31]}, ["horizons.1", "received 31", "each integer from 1 to 30"]),
        ({"horizons": [1, 5, 5]}, ["horizons", "list each horizon once; duplicates: 5"]),
        ({"horizons": []}, ["horizons", "at least 1 items"]),
        ({"multi_step": "both"}, ["multi_step", "'both'", "'direct', 'recursive'"]),
        ({"symbols": ["TCS.NS", "TCS.NS"]}, ["symbols", "duplicates: TCS.NS"]),
        (
            {"context_symbols": ["AAPL", "AAPL"]},
            ["context_symbols", "list each symbol once; duplicates: AAPL"],
        ),
        ({"context_symbols": ["a/b"]}, ["context_symbols", "'A/B' is not a Yahoo symbol"]),
        ({"context_symbols": ["SAP.XY"]}, ["context_symbols", "suffix '.XY' is not declared"]),
        ({"context_symbols": [f"A{n}" for n in range(51)]}, ["context_symbols", "at most 50"]),
        ({"publish": "now"}, ["publish", "'now'", "'after_close', 'before_open'"]),
        ({"symbols": ["SAP.XY"]}, ["'SAP.XY'", "suffix '.XY' is not declared", "[[exchanges]]"]),
        ({"symbols": ["straße"]}, ["'straße' is not a Yahoo symbol"]),
        ({"symbols": ["tcs.ns", "TCS.NS"]}, ["symbols", "duplicates: TCS.NS"]),
        ({"start_date": "2024-13-01"}, ["start_date", "'2024-13-01'", "written as a date"]),
        ({"as_of_date": "20240102"}, ["as_of_date", "'20240102'", "written as a date"]),
        ({"as_of_date": "1704153600"}, ["as_of_date", "'1704153600'", "written as a date"]),
        ({"as_of_date": "1800-01-01"}, ["received '1800-01-01'", "or equal to 1900-01-01"]),
        ({"start_date": 0}, ["start_date", "received 0", "written as a date"]),
        ({"start_date": "2024-01-02T00:00"}, ["start_date", "written as a date"]),
        ({"model_name": "My Model"}, ["model_name", "'My Model'", "matching"]),
        ({"learning_rate": float("nan")}, ["learning_rate", "received nan"]),
        ({"source": "csv"}, ["csv_path", "received nothing"]),
        ({"csv_path": "/x.csv"}, ["csv_path", "'/x.csv'", "set source to csv"]),
        ({"seq_len": 10, "smoothing": 11}, ["smoothing", "received 11", "seq_len 10"]),
        ({"loss": "weighted_mse"}, ["without weights", "loss_recency_half_life"]),
        ({"loss_recency_half_life": 60}, ["received 60", "loss 'mse'", "weighted_mse"]),
        (
            {"loss": "weighted_mse", "loss_asset_weights": {"TCS.NS": 0}},
            ["loss_asset_weights.TCS.NS", "received 0"],
        ),
        (
            {"loss": "weighted_mse", "loss_asset_weights": {"SAP.DE": 2}},
            ["weights for SAP.DE", "not among the symbols"],
        ),
        ({"pinball_level": 1}, ["pinball_level", "above 0", "below 1"]),
        (
            {"start_date": "2024-02-01", "as_of_date": "2024-02-01"},
            ["start_date", "2024-02-01", "before the as_of_date"],
        ),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_what_is_allowed(
    values: dict[str, Any], fragments: list[str]
) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_run_config(values)
    for fragment in fragments:
        assert fragment in str(refusal.value)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_sets_parameters_that_are_not_given_and_is_recorded_with_every_value(
    name: str,
) -> None:
    config = parse_run_config({"preset": name})
    changed = {key: getattr(config, key) for key in PRESETS[name].values}
    assert changed == PRESETS[name].values
    others = set(RunConfig.model_fields) - set(changed) - {"preset"}
    assert all(getattr(config, key) == getattr(RunConfig(), key) for key in others)
    assert parse_run_config(config.model_dump(mode="json")) == config


def test_every_kind_of_run_uses_the_parameters_of_a_preset_that_it_has() -> None:
    assert parse_config(BacktestRunConfig, {"preset": "quick"}).epochs == 5
    assert parse_config(BacktestRunConfig, {"preset": "best"}).epochs == RunConfig().epochs


def test_given_parameter_wins_over_the_preset() -> None:
    config = parse_run_config({"preset": "quick", "epochs": 7})
    assert (config.epochs, config.dense_units) == (7, PRESETS["quick"].values["dense_units"])


def test_every_wrong_value_is_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"epochs.*batch_size"):
        parse_run_config({"epochs": 0, "batch_size": 0})


def test_the_preset_for_small_memory_takes_smaller_batches_and_shorter_windows() -> None:
    small = parse_run_config({"preset": "small_memory"})
    assert (small.batch_size, small.seq_len) == (16, 30)
    assert small.lstm_units == parse_run_config({}).lstm_units


def test_parameter_schemas_cover_every_field_with_type_description_and_default() -> None:
    schemas = parameter_schemas()
    assert set(schemas) == set(RunConfig.model_fields)
    for schema in schemas.values():
        assert schema["type"]
        assert schema["description"]
    assert schemas["as_of_date"]["type"] == ["null", "string"]
    assert schemas["as_of_date"]["format"] == "date"
    assert parse_run_config({name: schema["default"] for name, schema in schemas.items()}) == (
        parse_run_config({})
    )


@pytest.mark.parametrize(
    "values",
    [
        {"symbols": ["GC\x00=F"]},
        {"symbols": [None]},
        {"symbols": [True]},
        {"symbols": "GC=F"},
        {"symbols": ["A" * 10**6]},
        {"symbols": ["A", "A"] * 2500},
        {"symbols": [["A"]] * 100},
        {"source": "csv", "csv_path": "a\x00b"},
        {"source": "csv", "csv_path": "a\nb"},
        {"source": "csv", "csv_path": "."},
        {"source": "csv", "csv_path": "/"},
        {"source": "csv", "csv_path": "a" * 10**6},
        {"source": "csv", "csv_path": ""},
        {"gate_override_reason": "a\x00b"},
        {"gate_override_reason": "a\x1b[31m"},
        {"start_date": "0000-01-01"},
        {"start_date": "0001-01-01"},
        {"as_of_date": "0001-06-01"},
        {"as_of_date": "9999-12-31"},
        {"x\x00" * 1000: 1},
        {"epochs": "1" * 10**6},
    ],
)
def test_a_refusal_is_short_and_has_no_control_characters(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_run_config(values)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 2500


def test_a_reason_may_have_several_lines() -> None:
    config = parse_run_config({"gate_override_reason": "one line\n\ttwo\r\n"})
    assert config.gate_override_reason == "one line\n\ttwo\r\n"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "reference"),
        ({"source": "simulated", "epoch": 3}, "simulated"),
        ({"model_name": "mine", "epochs": "many"}, "mine"),
        ({"source": "csv"}, None),
        ({"model_name": "../other"}, None),
        ({"model_name": 7}, None),
        ({"source": "elsewhere"}, None),
    ],
)
def test_the_model_name_of_a_run_is_known_if_other_parameters_are_wrong(
    values: dict[str, object], name: str | None
) -> None:
    assert asked_model_name(values) == name
