"""The commands of README and docs, typed into a shell in one installation, as far as they run here.

`make` and everything behind it are real; only Python has its imports behind it. What a run costs is
lowered by further parameters (`COST`); Yahoo is our own server; prices are simulated.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest

from documentation import Command, all_commands, commands, snippet
from installation import command_environment
from market.yahoo_server import YahooServer
from message_servers import MailServer, SlackServer
from roi_airflow.notification import notify
from roi_forecast.config import BacktestRunConfig, RunConfig, TuningRunConfig
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.settings import url_variable
from roi_forecast.universe import load_universe
from roi_local.environment import REPOSITORY, Home, airflow_environment
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.server import EmbeddedPostgres, start_postgres
from soak.installation import Installation
from soak.plan import chosen, planted_market
from soak.sessions import EagerServer, Soak
from tiny_network import TINY_NETWORK
from warm_python import start_warm_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]

COST: dict[str, Any] = {
    "start_date": "2023-07-03",
    "as_of_date": "2024-12-27",
    **TINY_NETWORK,
    "tensorboard": False,
    "trials": 2,
}
"""Parameters that make a run cheap; they replace those of the page."""

KINDS = {"run": RunConfig, "tune": TuningRunConfig, "backtest": BacktestRunConfig}
ENDS_WITH = {"run": "Newest forecasts of", "tune": "Best trials of study", "backtest": "R2"}
CSV_SYMBOLS = ["AAPL", "JPM", "TCS.NS"]
FIRST_DAY, LAST_DAY = date(2023, 1, 2), date(2024, 12, 30)


@dataclass
class Shell:
    """A terminal in the folder of a clone, whose Python is warm."""

    project: Path
    home: Home
    postgres: EmbeddedPostgres
    python: Path
    variables: dict[str, str] = field(default_factory=dict)

    def type(self, line: str, **variables: str) -> str:
        """Type a line; return what it prints, or fail where it does."""
        answer = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=self.project,
            # PYTHON: the packages are there, since this test runs in them.
            env=command_environment(self.home) | self.variables | variables | {"PYTHON": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert answer.returncode == 0, f"{line}\n{answer.stdout}\n{answer.stderr}"
        return answer.stdout

    def query(self, query: str) -> list[dict[str, str]]:
        """Return the rows of a query."""
        answer = self.type(f"make sql OWNER=1 QUERY={shlex.quote(query)}")
        return list(csv.DictReader(io.StringIO(answer)))


def simulated_prices(symbols: list[str]) -> pd.DataFrame:
    market = SimulatedSource()
    return pd.concat(
        market.fetch(load_universe().asset(symbol), FIRST_DAY, LAST_DAY).bars.assign(symbol=symbol)
        for symbol in symbols
    )


def documented_symbols() -> set[str]:
    """Symbols that any page asks for, and those of the universe."""
    universe = load_universe()
    found = {asset.symbol for asset in (*universe.assets, *universe.context)}
    for command in all_commands():
        found |= {*conf_of(command.text).get("symbols", [])}
    written = tomllib.loads(snippet("toml", "docs/first-steps.md"))
    return found | {entry["symbol"] for entry in (*written["assets"], *written["context"])}


def conf_of(line: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in shlex.split(line):
        if word.startswith("CONF="):
            found = json.loads(word.removeprefix("CONF="))
    return found


def cheap(line: str, *, own_universe: bool = False) -> str:
    """Let a run, search or backtest cost little; the last CONF of a line counts."""
    kind = re.match(r"make (\w+)", line)
    if kind is None or kind[1] not in KINDS:
        return line
    conf = conf_of(line)
    known = KINDS[kind[1]].model_fields
    cost = {name: value for name, value in COST.items() if name in known}
    if "tuned_study" in conf:
        cost = {name: cost[name] for name in ("start_date", "as_of_date", "epochs")}
    if "symbols" not in conf and "SOURCE=csv" not in line and not own_universe:
        cost["symbols"] = ["TCS.NS", "GC=F"]
    if not own_universe:
        cost["context_symbols"] = conf.get("context_symbols", ["AAPL"])
    if kind[1] == "backtest":
        cost |= {"first_target_date": "2024-11-25", "refit_every": 20}
    return f"{line} CONF={shlex.quote(json.dumps(conf | cost))}"


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    # A short path, for the sockets in it.
    with TemporaryDirectory(prefix="roi-pages-") as name:
        folder = Path(name)
        project, home = folder / "project", Home(folder / "roi", REPOSITORY / "dags")
        (project / ".venv" / "bin").mkdir(parents=True)
        for part in ("Makefile", "include", "dags", "plugins"):
            (project / part).symlink_to(REPOSITORY / part)
        simulated_prices(CSV_SYMBOLS).to_csv(project / "prices.csv.gz", index=False)
        with (
            start_postgres(home.postgres_directory) as postgres,
            YahooServer(simulated_prices(sorted(documented_symbols()))) as yahoo,
        ):
            variables = {url_variable("yahoo"): yahoo.url}
            environment = airflow_environment(home, postgres)
            prepare_market(postgres)
            prepare_airflow(home, postgres, environment)
            with start_warm_python(folder, environment) as python:
                (project / ".venv" / "bin" / "python").symlink_to(python)
                yield Shell(project, home, postgres, python, variables)


RUNS = {command.text: command for command in commands("runs")}
"""Each once, whatever number of pages shows it."""


# These come first: the others ask for what they leave.
@pytest.mark.parametrize("command", RUNS.values(), ids=str)
def test_runs_searches_and_backtests_end_with_their_result(shell: Shell, command: Command) -> None:
    if command.text.startswith("export "):
        # What `make up` does from then on for each session.
        check_own_universe(shell, command)
        return
    printed = shell.type(cheap(command.text))
    kind = command.text.split()[1]
    assert ENDS_WITH.get(kind, "AAPL") in printed


def check_own_universe(shell: Shell, command: Command) -> None:
    text = snippet("toml", command.page)
    name = re.match(r"# (\S+)\n", text)
    assert name is not None
    (shell.project / name[1]).write_text(text)
    run = cheap("""make run SOURCE=yahoo CONF='{"model_name": "own"}'""", own_universe=True)
    shell.type(f"{command.text}; {run}")
    wanted = tomllib.loads(text)
    query = "SELECT symbol, context FROM roi.extractions JOIN roi.runs USING (run_id) "
    query += "WHERE model_name = 'own'"
    found = {(row["symbol"], row["context"]) for row in shell.query(query)}
    assert found == {
        *((entry["symbol"], "f") for entry in wanted["assets"]),
        *((entry["symbol"], "t") for entry in wanted["context"]),
    }


@pytest.mark.parametrize("command", commands("queries"), ids=str)
def test_queries_are_answered_with_a_row_for_each_column(shell: Shell, command: Command) -> None:
    answer = list(csv.reader(io.StringIO(shell.type(command.text))))
    assert answer
    assert all(len(row) == len(answer[0]) for row in answer)


@pytest.mark.parametrize("command", commands("installation"), ids=str)
def test_commands_on_the_installation_succeed(shell: Shell, command: Command) -> None:
    if command.text.startswith("make restore"):
        elsewhere = Home(shell.home.directory.with_name("elsewhere"))
        other = replace(shell, home=elsewhere, variables={})
        other.type(command.text)
        query = "SELECT model_name, symbol, predicted_roi_pct FROM roi.forecasts ORDER BY 1, 2, 3"
        assert other.query(query) == shell.query(query)
    else:
        shell.type(command.text)


def notifier_commands(page: str, name: str) -> list[str]:
    """Return the lines of a page that set a notifier up."""
    lines = [each.text for each in commands("notifier") if each.page == page]
    first = next(index for index, line in enumerate(lines) if name in line)
    following = (
        index
        for index, line in enumerate(lines)
        if index > first and re.match(r"(export )?ROI_NOTIFIER=", line)
    )
    return lines[first : next(following, len(lines))]


def set_up(
    shell: Shell, lines: list[str], monkeypatch: pytest.MonkeyPatch, **replaced: str
) -> None:
    """Take over the settings of the lines, and add the connection, if any, with other values."""
    for line in lines:
        if not line.startswith("make"):
            name, _, value = shlex.split(line.removeprefix("export "))[0].partition("=")
            monkeypatch.setenv(name, value)
            continue
        for option, value in replaced.items():
            line = re.sub(rf"--conn-{option} \S+", f"--conn-{option} {value}", line)
        connection_id = line.split("connections add ")[1].split()[0]
        shell.type(line)
        shown = shell.type(f"make airflow ARGS='connections get {connection_id} -o json'")
        uri = json.loads(shown)[0]["get_uri"]
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection_id.upper()}", uri)


@pytest.mark.parametrize("page", ["docs/airflow.md", "docs/first-steps.md"])
def test_the_mail_of_a_page_is_sent_over_tls(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    with MailServer(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        lines = notifier_commands(page, "SmtpNotifier")
        set_up(shell, lines, monkeypatch, host="127.0.0.1", port=str(server.port))
        if page == "docs/airflow.md":
            # It names no connection: this is the one of the other page.
            monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.address)
        notify({"dag": None}, "the run failed")
    (mail,) = server.mails
    assert (mail["From"], mail["To"]) == ("roi@example.com", "you@example.com")
    body = mail.get_body()
    assert body is not None
    assert body.get_content().strip() == "the run failed"


def test_the_message_of_the_page_reaches_slack(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = notifier_commands("docs/first-steps.md", "SlackWebhookNotifier")
    with SlackServer() as server:
        lines[-1] = lines[-1].rstrip('"') + f' --conn-host {server.url}/services"'
        set_up(shell, lines, monkeypatch)
        notify({"dag": None}, "the run failed")
    assert server.messages == [("/services/T000/B000/XXX", "the run failed")]


def test_a_few_sessions_of_the_soak_lose_and_rewrite_nothing(shell: Shell) -> None:
    """`make soak` goes through 250, with every fault; here an outage, a kill and a split."""
    sessions = chosen(["plain", "rate_limit", "kill_task", "split"], seed=1)
    with EagerServer(pd.DataFrame({"symbol": []})) as server:
        installation = Installation(shell.home, shell.python, shell.postgres, server.url)
        soak = Soak(installation, planted_market(sessions), server)
        for session in sessions:
            soak.go_through(session)
    assert (soak.failed, soak.kills) == (1, 1)
    assert soak.restatements == 1
    assert {len(row) for row in soak.memory.forecasts} == {4}
