"""Settings of a shell or a home folder that are meant for other programs change nothing here."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

import hostile
from live_stack import SMALL
from roi_forecast.database.engine import create_database_engine
from roi_forecast.inherited import settle_keras_settings
from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.settings import Settings
from roi_local.environment import (
    MARKET_DATABASE,
    PAGES_LOGIN,
    REPOSITORY,
    Home,
    airflow_environment,
)
from roi_local.postgres.server import EmbeddedPostgres
from roi_local.process_environment import process_environment


@pytest.mark.parametrize("name", hostile.VARIABLES)
def test_a_process_of_the_installation_gets_no_setting_of_another_program(
    name: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    inherited = {"HOME": "/home/anna", name: hostile.VARIABLES[name]}
    plain = {"HOME": "/home/anna"}
    home = Home(tmp_path / "home")
    proxies = inherited if "proxy" in name.lower() else plain

    assert process_environment(inherited) == process_environment(proxies)
    assert airflow_environment(home, postgres, inherited=inherited) == airflow_environment(
        home, postgres, inherited=proxies
    )


def test_settings_of_person_machine_and_network_pass_through() -> None:
    inherited = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "1",
        "TF_FORCE_GPU_ALLOW_GROWTH": "false",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "intranet",
        "ROI_NOTIFIER": "a.b.C",
        "ROI_READER_DATABASE_URL": "postgresql+psycopg://elsewhere.invalid/x",
    }
    environment = process_environment(inherited)
    assert {name: environment[name] for name in inherited if name != "NO_PROXY"} == {
        name: value for name, value in inherited.items() if name != "NO_PROXY"
    }
    assert environment["NO_PROXY"] == environment["no_proxy"] == "intranet,127.0.0.1"


def test_pages_of_a_local_installation_read_its_own_database(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    inherited = {"ROI_READER_DATABASE_URL": "postgresql+psycopg://elsewhere.invalid/x"}
    environment = airflow_environment(Home(tmp_path / "home"), postgres, inherited=inherited)
    assert environment["ROI_READER_DATABASE_URL"] == postgres.url(
        MARKET_DATABASE, login=PAGES_LOGIN
    )


SESSION = text(
    "SELECT current_database(), current_setting('TimeZone'), current_setting('DateStyle'), "
    "current_setting('client_encoding'), current_setting('search_path'), "
    "current_setting('geqo'), current_setting('transaction_read_only'), DATE '2024-02-01', 'ş'"
)


def sessions(postgres: EmbeddedPostgres, url: str) -> list[tuple[object, ...]]:
    engines = [
        create_database_engine(url),
        create_reader_engine(Settings(url, Path("nowhere"))),
    ]
    answers = []
    for engine in engines:
        with engine.connect() as connection:
            answers.append(tuple(connection.execute(SESSION).one()))
        engine.dispose()
    postgres.create_database("again")
    postgres.drop_database("again")
    return answers


@pytest.mark.parametrize("names", [*([name] for name in hostile.POSTGRES), list(hostile.POSTGRES)])
def test_every_connection_is_the_one_its_url_names(
    names: list[str],
    postgres: EmbeddedPostgres,
    market_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    expected = sessions(postgres, market_url)
    monkeypatch.setenv("HOME", str(hostile.write_home(tmp_path)))
    for name in names:
        monkeypatch.setenv(name, hostile.POSTGRES[name])

    assert sessions(postgres, market_url) == expected


def test_what_protects_a_connection_is_not_taken_away(
    market_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", "/etc/ssl/own.pem")
    create_database_engine(market_url).dispose()
    assert os.environ["PGSSLROOTCERT"] == "/etc/ssl/own.pem"


TRAINING = """
import sys
from pathlib import Path
from network.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.network.training.train import train_model
from roi_forecast.network.backend import keras
config = SMALL.model_copy(update={"epochs": 3, "improvement_standard_errors": 0.0})
result = train_model(synthetic_dataset(), config, Path(sys.argv[1]))
print(result.epochs, [record.validation_loss for record in result.history])
print(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
"""


def train(folder: Path, **variables: str) -> str:
    environment = {**process_environment(), "PYTHONPATH": str(REPOSITORY / "tests"), **variables}
    command = [sys.executable, "-c", TRAINING, str(folder / "training")]
    answer = hostile.run(command, environment, folder)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def expected_training(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clean")
    return train(folder, HOME=str(folder))


@pytest.mark.parametrize("name", hostile.KERAS)
def test_keras_reads_none_of_its_settings_in_a_shell(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in hostile.KERAS:
        monkeypatch.delenv(each, raising=False)
    settle_keras_settings()
    settled = dict(os.environ)
    monkeypatch.setenv(name, hostile.KERAS[name])
    settle_keras_settings()
    assert dict(os.environ) == settled


@pytest.mark.slow
def test_a_training_is_the_same_with_all_settings_of_keras_in_the_shell(
    expected_training: str, tmp_path: Path
) -> None:
    assert train(tmp_path, HOME=str(tmp_path), **hostile.KERAS) == expected_training


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "variables"),
    [("float16", ["HOME"]), ("another backend", ["HOME", "KERAS_HOME"])],
)
def test_a_training_is_the_same_whatever_the_home_folder_says_to_keras(
    content: str, variables: list[str], expected_training: str, tmp_path: Path
) -> None:
    home = hostile.write_home(tmp_path, hostile.KERAS_FILES[content])
    places = {"HOME": str(home), "KERAS_HOME": str(home / ".keras")}
    assert train(tmp_path, **{name: places[name] for name in variables}) == expected_training
    assert (home / ".keras" / "keras.json").read_text() == hostile.KERAS_FILES[content]


def make(home: Path, *arguments: str, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], **variables, "ROI_HOME": str(home)}
    answer = hostile.run(["make", "--silent", *arguments], environment, REPOSITORY)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


QUERY = (
    "SELECT symbol, as_of_date, target_date, horizon, predicted_roi_pct, lower_80_pct, "
    "upper_95_pct FROM roi.latest_forecasts ORDER BY symbol, horizon"
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_whole_run_gives_the_same_forecasts_with_all_of_it_at_once(tmp_path: Path) -> None:
    conf = "CONF=" + str(SMALL).replace("'", '"')
    person = hostile.write_home(tmp_path / "person")
    everything = {**hostile.VARIABLES, "HOME": str(person)}
    forecasts = []
    for name, variables in (("clean", {"HOME": str(tmp_path)}), ("hostile", everything)):
        report = make(tmp_path / name, "run", conf, **variables)
        assert "Newest forecasts of simulated" in report
        forecasts.append(make(tmp_path / name, "sql", f"QUERY={QUERY}", **variables))
        make(tmp_path / name, "export", f"OUT={tmp_path / name}.csv", **variables)

    assert forecasts[0] == forecasts[1]
    assert len(forecasts[0].splitlines()) > len(SMALL["symbols"])
    assert (tmp_path / "clean.csv").read_bytes() == (tmp_path / "hostile.csv").read_bytes()
