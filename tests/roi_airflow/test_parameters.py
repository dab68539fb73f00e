from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError
from pydantic import Field

from roi_airflow.parameters import run_parameters
from roi_airflow.refusals import KINDS, explicit_parameters
from roi_forecast.config import (
    PRESETS,
    BacktestRunConfig,
    Config,
    RunConfig,
    SharedConfig,
    TuningRunConfig,
    parameter_schemas,
    parse_config,
    parse_run_config,
)
from roi_forecast.errors import ConfigError
from roi_forecast.price_sources import LIVE_SOURCES
from roi_forecast.settings import PUBLISH_VARIABLE
from roi_forecast.universe import load_universe

FORM = {name: schema["default"] for name, schema in parameter_schemas().items()}


@pytest.mark.parametrize("kind", [RunConfig, BacktestRunConfig, TuningRunConfig])
def test_every_parameter_has_a_section_and_a_readable_title(kind: type[SharedConfig]) -> None:
    for name, param in run_parameters(kind).items():
        assert param.schema["section"], name
        assert "_" not in param.schema["title"], name


def test_form_begins_with_the_preset_and_ends_with_the_rare_parameters() -> None:
    form = {name: param.schema["section"] for name, param in run_parameters().items()}
    assert list(form)[:3] == ["preset", "source", "csv_path"]
    assert list(dict.fromkeys(form.values())) == [
        "Run",
        "Promotion",
        "Features and network",
        "Training",
        "Rarely changed",
    ]
    changes = sum(a != b for a, b in pairwise(form.values()))
    assert changes == len(set(form.values())) - 1


def test_form_offers_no_fallback_source_first_and_accepts_each_live_one() -> None:
    param = run_parameters()["fallback_source"]
    assert param.value is None
    for choice in (None, *LIVE_SOURCES):
        assert param.resolve(choice) == choice
    with pytest.raises(ParamValidationError):
        param.resolve("csv")


def test_form_offers_when_this_installation_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_parameters()["publish"].value == "after_close"
    monkeypatch.setenv(PUBLISH_VARIABLE, "before_open")
    for kind in (RunConfig, BacktestRunConfig, TuningRunConfig):
        assert run_parameters(kind)["publish"].value == "before_open"


@pytest.mark.parametrize(
    ("kind", "own"), [(BacktestRunConfig, "Backtest"), (TuningRunConfig, "Search")]
)
def test_parameters_of_a_kind_of_run_alone_follow_those_of_every_run(
    kind: type[SharedConfig], own: str
) -> None:
    sections = [param.schema["section"] for param in run_parameters(kind).values()]
    assert list(dict.fromkeys(sections)) == [
        "Run",
        own,
        "Features and network",
        "Training",
        "Rarely changed",
    ]


def test_one_new_field_is_a_param_of_the_form_and_a_checked_parameter_of_the_run() -> None:
    class Extended(RunConfig):
        fees_pct: float = Field(0.1, ge=0, le=5, description="Fees of a trade, in percent.")

    param = run_parameters(Extended)["fees_pct"]
    assert (param.value, param.description) == (0.1, "Fees of a trade, in percent.")
    assert param.resolve(2.5) == 2.5
    with pytest.raises(ParamValidationError):
        param.resolve(6)
    assert parse_config(Extended, {"fees_pct": 2.5}).fees_pct == 2.5
    with pytest.raises(ConfigError, match="fees_pct: received 6; allowed is number from 0 to 5"):
        parse_config(Extended, {"fees_pct": 6})


def test_words_for_choices_cover_every_choice() -> None:
    for name, param in run_parameters().items():
        if {"enum", "values_display"} <= param.schema.keys():
            assert set(param.schema["values_display"]) == set(map(str, param.schema["enum"])), name


def test_symbols_are_free_text_whose_description_names_those_of_the_universe() -> None:
    universe = load_universe()
    for name, assets in (("symbols", universe.assets), ("context_symbols", universe.context)):
        param = run_parameters()[name]
        # Airflow's form lets people choose among examples only.
        assert not {"examples", "enum", "offered"} & param.schema.keys()
        assert param.resolve(["ANY.XY"]) == ["ANY.XY"]
        for asset in assets:
            assert asset.symbol in str(param.description)


def test_a_universe_of_thousands_does_not_fill_the_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    universe = tmp_path / "universe.toml"
    entries = (f'[[assets]]\nsymbol = "SIM{number}.NS"' for number in range(5000))
    universe.write_text("\n".join(entries), encoding="utf-8")
    monkeypatch.setenv("ROI_UNIVERSE", str(universe))
    description = str(run_parameters()["symbols"].description)
    assert "SIM0.NS, SIM1.NS, " in description
    assert "and 4960 more" in description
    assert len(description) < 1000


@pytest.mark.parametrize("kind", KINDS.values())
def test_what_is_empty_in_the_form_may_stay_empty(kind: type[Config]) -> None:
    for name, param in run_parameters(kind).items():
        if param.value in (None, "", []):
            # Airflow's form refuses to send an empty value of another type.
            assert param.schema["type"][0] == "null", name
            assert param.value != "", name
            parse_config(kind, {name: None})


@pytest.mark.parametrize(
    ("kind", "name"), [(BacktestRunConfig, "predictors"), (TuningRunConfig, "tuned")]
)
def test_a_list_of_certain_values_is_chosen_from_them(kind: type[SharedConfig], name: str) -> None:
    schema = run_parameters(kind)[name].schema
    assert schema["examples"] == schema["items"]["enum"]


def test_the_preset_replaces_values_that_the_form_left_untouched() -> None:
    sent = {**FORM, "preset": "quick", "seed": 3}
    given = explicit_parameters(sent, FORM)
    assert given == {"preset": "quick", "seed": 3}
    assert parse_run_config(given).epochs == PRESETS["quick"].values["epochs"]


def test_a_parameter_of_a_conf_wins_over_the_preset_even_with_its_default_value() -> None:
    given = explicit_parameters({"preset": "quick", "epochs": FORM["epochs"]}, FORM)
    assert parse_run_config(given).epochs == FORM["epochs"]


def test_an_unknown_key_next_to_the_whole_form_is_kept() -> None:
    assert explicit_parameters({**FORM, "epoch": 3}, FORM) == {"epoch": 3}
