from __future__ import annotations

from itertools import pairwise

import pytest

from roi_airflow.parameters import explicit_parameters, run_parameters
from roi_forecast.config import (
    PRESETS,
    BacktestRunConfig,
    RunConfig,
    SharedConfig,
    parameter_schemas,
    parse_run_config,
)
from roi_forecast.universe import load_universe

FORM = {name: schema["default"] for name, schema in parameter_schemas().items()}


@pytest.mark.parametrize("kind", [RunConfig, BacktestRunConfig])
def test_every_parameter_has_a_section_and_a_readable_title(kind: type[SharedConfig]) -> None:
    for name, param in run_parameters(kind).items():
        assert param.schema["section"], name
        assert "_" not in param.schema["title"], name


def test_form_begins_with_the_preset_and_keeps_parts_together() -> None:
    sections = [param.schema["section"] for param in run_parameters().values()]
    assert sections[0] == "Preset"
    assert "Prices" in sections
    changes = sum(a != b for a, b in pairwise(sections))
    assert changes == len(set(sections)) - 1


def test_where_choices_are_named_in_words_none_is_missing() -> None:
    for name, param in run_parameters().items():
        if {"enum", "values_display"} <= param.schema.keys():
            assert set(param.schema["values_display"]) == set(param.schema["enum"]), name


def test_assets_of_the_universe_can_be_picked_by_name() -> None:
    schema = run_parameters()["symbols"].schema
    assert schema["examples"] == [asset.symbol for asset in load_universe().assets]
    assert schema["values_display"]["TCS.NS"].endswith("(TCS.NS)")


def test_values_that_the_whole_form_left_untouched_give_way_to_the_preset() -> None:
    sent = {**FORM, "preset": "quick", "seed": 3}
    given = explicit_parameters(sent, FORM)
    assert given == {"preset": "quick", "seed": 3}
    assert parse_run_config(given).epochs == PRESETS["quick"].values["epochs"]


def test_key_of_a_conf_wins_over_the_preset_even_with_the_default_value() -> None:
    given = explicit_parameters({"preset": "quick", "epochs": FORM["epochs"]}, FORM)
    assert parse_run_config(given).epochs == FORM["epochs"]


def test_unknown_key_beside_the_whole_form_is_kept() -> None:
    assert explicit_parameters({**FORM, "epoch": 3}, FORM) == {"epoch": 3}
