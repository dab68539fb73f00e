"""`make airflow`: which words reach Airflow's command line."""

from __future__ import annotations

import pytest

from roi_forecast.errors import ConfigError
from roi_local.commands.airflow import parse_arguments, refuse_wrong_parameters
from roi_local.commands.run import DAILY_DAG
from roi_local.errors import LocalError
from roi_local.run_parameters import run_parameters


def test_words_are_split_as_a_shell_does_and_nothing_is_expanded() -> None:
    given = """dags trigger daily --conf '{"epochs": 20}' -r "a b" $HOME *.py `id`"""
    assert parse_arguments(given) == [
        *("dags", "trigger", "daily", "--conf", '{"epochs": 20}', "-r", "a b"),
        *("$HOME", "*.py", "`id`"),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", r"received ''; name a command of Airflow, for example ARGS='dags list'"),
        ("  ", "name a command of Airflow"),
        ("dags list 'a", "No closing quotation"),
        ("scheduler -s", "`make up` starts it"),
        ("users list", "one user, admin"),
    ],
)
def test_what_makes_no_sense_here_is_refused_with_what_to_do(given: str, said: str) -> None:
    with pytest.raises(LocalError, match=f"ARGS: received .*{said}|{said}"):
        parse_arguments(given)


@pytest.mark.parametrize(
    "given",
    [
        """dags trigger daily_roi_forecast --conf '{"epochs": -1}'""",
        """dags trigger -c '{"epochs": -1}' daily_roi_forecast""",
        """dags test daily_roi_forecast '--conf={"epochs": -1}'""",
        """backfill create --dag-id=daily_roi_forecast --dag-run-conf '{"epochs": -1}'""",
    ],
)
def test_a_wrong_parameter_is_refused_in_the_words_of_make_run(given: str) -> None:
    with pytest.raises(ConfigError) as of_make_run:
        run_parameters({"ROI_CONF": '{"epochs": -1}'})
    with pytest.raises(LocalError) as refused:
        refuse_wrong_parameters(parse_arguments(given), None)
    assert str(refused.value) == str(of_make_run.value)


@pytest.mark.parametrize(
    ("given", "said"), [("{epochs: 1}", "is not JSON"), ("[1]", "has to be a JSON object")]
)
def test_parameters_that_are_no_object_are_refused(given: str, said: str) -> None:
    with pytest.raises(LocalError, match=said):
        refuse_wrong_parameters(["dags", "trigger", DAILY_DAG, "--conf", given], None)


@pytest.mark.parametrize(
    "given",
    [
        f"dags trigger {DAILY_DAG}",
        f"""dags trigger {DAILY_DAG} --conf '{{"symbols": ["TCS.NS"], "epochs": 3}}'""",
        """dags trigger of_mine --conf '{"epochs": -1}'""",
        f"""tasks test {DAILY_DAG} resolve_run --conf '{{"epochs": -1}}'""",
        "version",
    ],
)
def test_other_commands_and_right_parameters_pass(given: str) -> None:
    refuse_wrong_parameters(parse_arguments(given), None)
