"""SOURCE, CSV and CONF of `make run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.errors import ConfigError
from roi_local.errors import LocalError
from roi_local.run_parameters import CONF_VARIABLE, CSV_VARIABLE, run_parameters


def test_run_without_parameters_takes_the_simulated_market() -> None:
    assert run_parameters({}) == {"source": "simulated"}


def test_conf_wins_over_source() -> None:
    conf = run_parameters({"ROI_SOURCE": "yahoo", "ROI_CONF": '{"source": "simulated"}'})

    assert conf == {"source": "simulated"}


def test_csv_becomes_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prices.csv").write_text("symbol,date")
    monkeypatch.chdir(tmp_path)

    conf = run_parameters({"ROI_SOURCE": "csv", "ROI_CSV": "prices.csv"})

    assert conf == {"source": "csv", "csv_path": str(tmp_path / "prices.csv")}
    assert run_parameters({"ROI_CSV": "prices.csv"}) == conf


def test_missing_csv_is_refused_at_once() -> None:
    with pytest.raises(LocalError, match=r"CSV: received 'nowhere\.csv', but there is no file"):
        run_parameters({"ROI_SOURCE": "csv", "ROI_CSV": "nowhere.csv"})


@pytest.mark.parametrize("text", ["{", "epochs=20", "[1]", "null", '{"epochs": NaN}'])
def test_conf_that_is_no_json_object_is_one_clear_error(text: str) -> None:
    with pytest.raises(LocalError, match=r"^CONF: received .* JSON"):
        run_parameters({"ROI_CONF": text})


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ('{"epoch": 3}', "epoch: unknown parameter, received 3; did you mean epochs?"),
        ('{"epochs": 0}', "epochs: received 0; allowed is integer from 1 to 5000"),
        ('{"source": "csv"}', "csv_path: received nothing"),
    ],
)
def test_wrong_parameter_is_refused_before_anything_starts(conf: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_parameters({"ROI_CONF": conf})

    assert message in str(caught.value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=10, max_size=100))
def test_any_text_in_conf_survives(reason: str) -> None:
    text = json.dumps({"gate_override_reason": reason}, ensure_ascii=False)

    assert run_parameters({"ROI_CONF": text})["gate_override_reason"] == reason


@pytest.mark.parametrize("variable", [CONF_VARIABLE, CSV_VARIABLE])
def test_a_refusal_quotes_little_of_what_was_given_and_no_control_characters(variable: str) -> None:
    with pytest.raises(LocalError) as refusal:
        run_parameters({variable: "\x1b[31m" + "x" * 2000})
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 700
