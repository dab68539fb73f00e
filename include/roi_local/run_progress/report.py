"""The report after a run: verdict, fit, alerts and the newest forecasts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Engine, column, select, table

from roi_forecast.database.tables import (
    SCHEMA,
    extractions,
    gate_decisions,
    live_checks,
    model_versions,
    price_checks,
    promotions,
    runs,
)
from roi_forecast.evaluation.overall_figures import LEFT_OUT, without
from roi_forecast.labels import horizon_label, observed_and_allowed, rule_label
from roi_forecast.market.missing_columns import lines_about, missed
from roi_forecast.number_text import direction, signed, with_bounds, written
from roi_forecast.reading.context import read_context
from roi_forecast.reading.forecasts import LatestForecast
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.serving.fallback import fallback_author
from roi_local.run_progress.next_steps import NextStep, sql_step

_MAX_LISTED = 40
_EXTREMES = 10
"""Of more forecasts than are listed, only so many of the highest and of the lowest are."""

_NUMBER = re.compile(r"[+-]?[\d.]*")

_latest_forecasts = table(
    "latest_forecasts",
    column("model_name"),
    column("symbol"),
    column("as_of_date"),
    column("target_date"),
    column("horizon"),
    column("predicted_roi_pct"),
    column("gap_roi_pct"),
    column("lower_80_pct"),
    column("upper_80_pct"),
    schema=SCHEMA,
)


def print_report(engine: Engine, run_id: str, out: TextIO) -> list[NextStep]:
    """Print the verdict on a run's candidate and the newest forecasts; return what is next.

    Args:
        engine: Market database.
        run_id: A finished run.
        out: Where to print.
    """
    with engine.connect() as connection:
        model_name = connection.scalar(select(runs.c.model_name).where(runs.c.run_id == run_id))
        if model_name is None:
            print(f"Run {run_id} left nothing in the market database.", file=out)
            return []
        _print_missing_prices(connection, run_id, out)
        _print_verdict(connection, run_id, out)
        _print_fallback(connection, run_id, out)
        _print_alerts(connection, run_id, out)
        _print_context(connection, model_name, out)
        _print_forecasts(connection, model_name, out)
    return _next_steps(model_name)


def _next_steps(model_name: str) -> list[NextStep]:
    question = (
        f"SELECT symbol, target_date, predicted_roi_pct FROM roi.{LatestForecast.view.name} "  # nosec B608 # noqa: S608, it is shown, not run
        f"WHERE model_name = '{model_name}' AND horizon = 1 ORDER BY predicted_roi_pct DESC"
    )
    own = '{"source": "yahoo", "model_name": "mine", "symbols": ["AAPL", "GC=F"]}'
    return [
        sql_step("in SQL", question),
        NextStep("more questions in SQL", "docs/sql.md"),
        NextStep("your own symbols", f"make run CONF='{own}'"),
    ]


def _print_missing_prices(connection: Connection, run_id: str, out: TextIO) -> None:
    failed = connection.execute(
        select(extractions.c.symbol, extractions.c.error)
        .where(extractions.c.run_id == run_id, extractions.c.status == "failed")
        .order_by(extractions.c.symbol)
    ).all()
    _print_some("Not extracted", [row.error for row in failed], "roi.extractions", out)
    fetched = connection.execute(
        select(extractions.c.symbol, extractions.c.context, extractions.c.missing_columns)
        .where(extractions.c.run_id == run_id)
        .order_by(extractions.c.symbol)
    )
    lacking = lines_about(
        {row.symbol: missed(row.missing_columns, context=row.context) for row in fetched}
    )
    _print_some("Bars lack columns", lacking, "roi.extractions", out)
    check = price_checks.c
    found = connection.execute(
        select(check.severity, check.message)
        .where(
            check.run_id == run_id,
            check.severity.in_(("drop_asset", "drop_bar")),
            # It repeats the others of its asset.
            check.check_name != "usable",
            ~check.passed,
        )
        .order_by(check.symbol, check.trading_date)
    ).all()
    for severity, title in (("drop_asset", "Left out of this run"), ("drop_bar", "Doubted bars")):
        messages = [row.message for row in found if row.severity == severity]
        _print_some(title, messages, "roi.price_checks", out)


def _print_some(title: str, lines: Sequence[str], table_name: str, out: TextIO) -> None:
    """Print the first lines under a title, and where the others are."""
    if not lines:
        return
    print(f"\n{title}:", file=out)
    for line in lines[:_MAX_LISTED]:
        print(f"  {line}", file=out)
    if len(lines) > _MAX_LISTED:
        print(f"  and {len(lines) - _MAX_LISTED} more in {table_name}", file=out)


def _print_verdict(connection: Connection, run_id: str, out: TextIO) -> None:
    decision = gate_decisions.c
    rows = connection.execute(
        select(
            decision.rule,
            decision.threshold,
            decision.observed,
            decision.passed,
            decision.decisive,
            decision.reason,
            decision.version_id,
            model_versions.c.metrics,
            model_versions.c.source,
        )
        .join_from(gate_decisions, model_versions)
        .where(decision.run_id == run_id)
        .order_by(decision.decisive.desc(), decision.rule)
    ).all()
    verdict = next((row for row in rows if row.rule == VERDICT), None)
    if verdict is None:
        print("\nGate: this run came to no decision.", file=out)
        return
    outcome = "promoted" if verdict.passed else "rejected"
    label = " (trained on simulated prices)" if verdict.source == "simulated" else ""
    print(f"\nVersion {verdict.version_id}{label} was {outcome}.", file=out)
    lines = [
        (
            rule_label(row.rule),
            *observed_and_allowed(row.rule, row.observed, row.threshold),
            "passed" if row.passed else "failed",
            "" if row.decisive else "shown, does not decide",
        )
        for row in rows
        if row is not verdict
    ]
    print_table(lines, out, ("rule", "observed", "required", "", ""))
    if not verdict.passed:
        print(f"  {verdict.reason}", file=out)
    figures = verdict.metrics
    left_out = figures.get(LEFT_OUT, {})
    gap, open_to_close = (
        signed(figures.get(f"{part}_r2_against_zero")) for part in ("gap", "open_to_close")
    )
    hits = direction(figures.get("directional_accuracy"), figures.get("directions_share"))
    print(
        f"Smoothed R2 on test rows, most of which is known a day ahead: "
        f"{written(figures.get('r2'))}{without(left_out.get('r2', {}))}.\n"
        f"Next-day R2 against zero on test rows: {_estimate(figures, 'next_day_r2_against_zero')}; "
        f"opening gap {gap}, open to close {open_to_close}{hits and f'; {hits}'}.\n"
        f"{_network(figures)}",
        file=out,
    )
    if figures.get("fit_verdict"):
        print(f"Fit: {figures['fit_verdict']}; {figures['fit_advice']}.", file=out)


def _print_fallback(connection: Connection, run_id: str, out: TextIO) -> None:
    replaced = connection.execute(
        select(promotions.c.version_id, promotions.c.reason)
        .where(promotions.c.promoted_by == fallback_author(run_id))
        .order_by(promotions.c.id)
    )
    for row in replaced:
        print(f"\n{row.reason}\n{row.version_id} serves in its place.", file=out)


def _print_alerts(connection: Connection, run_id: str, out: TextIO) -> None:
    check = live_checks.c
    below = connection.execute(
        select(check.version_id, check.reason)
        .where(check.run_id == run_id, check.state == "below")
        .order_by(check.horizon, check.measure)
    ).all()
    if below:
        print(f"\nChampion {below[0].version_id} is below its limit:", file=out)
        for row in below:
            print(f"  {row.reason}", file=out)


def _print_forecasts(connection: Connection, model_name: str, out: TextIO) -> None:
    forecast = _latest_forecasts.c
    path = connection.execute(
        select(
            forecast.symbol,
            forecast.as_of_date,
            forecast.target_date,
            forecast.horizon,
            forecast.predicted_roi_pct,
            forecast.gap_roi_pct,
            forecast.lower_80_pct,
            forecast.upper_80_pct,
        )
        .where(forecast.model_name == model_name)
        .order_by(forecast.horizon, forecast.predicted_roi_pct.desc(), forecast.symbol)
    ).all()
    rows = [row for row in path if row.horizon == 1]
    farthest = {row.symbol: row for row in path}
    if not rows:
        print(f"\nNo model serves under the name {model_name} yet: no forecasts.", file=out)
        return
    print(f"\nNewest forecasts of {model_name}, ROI in percent:", file=out)
    shown = rows if len(rows) <= _MAX_LISTED else [*rows[:_EXTREMES], *rows[-_EXTREMES:]]
    lines = [
        (
            row.symbol,
            str(row.as_of_date),
            str(row.target_date),
            signed(row.predicted_roi_pct),
            "" if row.gap_roi_pct is None else signed(row.gap_roi_pct),
            _interval(row.lower_80_pct, row.upper_80_pct),
            str(farthest[row.symbol].target_date),
            _interval(farthest[row.symbol].lower_80_pct, farthest[row.symbol].upper_80_pct),
        )
        for row in shown
    ]
    if len(shown) < len(rows):
        between = f"({len(rows) - len(shown)} between)"
        lines.insert(_EXTREMES, (between, "", "", "", "", "", "", ""))
    header = (
        "symbol",
        "as of",
        "target",
        "forecast",
        "gap",
        "80 % interval",
        horizon_label(path[-1].horizon),
        "80 % interval",
    )
    columns = len(header) if path[-1].horizon > 1 else 6
    print_table([line[:columns] for line in lines], out, header[:columns])


def _print_context(connection: Connection, model_name: str, out: TextIO) -> None:
    rows = read_context(connection, model_name)
    if not rows:
        return
    added = signed(sum(row.added_pct for row in rows), 3)
    moves = ", ".join(f"{row.symbol} {signed(row.move_pct, 2)}" for row in rows)
    print(
        f"\nContext between the last two publication times, ROI in percent: {moves}.\n"
        f"It adds {added} on average. The part in the opening "
        "gap cannot be earned by buying at the close before.",
        file=out,
    )
    missing = [row.symbol for row in rows if row.missing]
    if missing:
        print(f"Made without a bar that was due of {', '.join(missing)}.", file=out)


def _interval(lower: float, upper: float) -> str:
    return f"{signed(lower, 2)} to {signed(upper, 2)}"


def print_table(
    lines: Iterable[Sequence[str]], out: TextIO, header: Sequence[str] | None = None
) -> None:
    """Print lines in columns; a column of numbers stands to the right."""
    rows = list(lines)
    columns = Table(box=None, padding=(0, 0, 0, 2), show_header=header is not None)
    for position, name in enumerate(header or rows[0]):
        numbers = all(_NUMBER.fullmatch(row[position]) for row in rows)
        columns.add_column(name, justify="right" if numbers else "left", no_wrap=True)
    for row in rows:
        columns.add_row(*row)
    # Not the width of the terminal, which wraps a long line by itself.
    console = Console(file=out, width=250, markup=False, highlight=False, emoji=False)
    with console.capture() as printed:
        console.print(columns)
    out.writelines(f"{line.rstrip()}\n" for line in printed.get().splitlines())


def _network(figures: Mapping[str, Any]) -> str:
    """Say what the network adds to the linear part, and whether chance explains it."""
    if figures.get("network_factor") == 0:
        return "The network adds nothing: the linear part is published alone."
    lower, upper = (figures.get(f"network_r2_gain_{bound}_95") for bound in ("lower", "upper"))
    verdict = "nothing that can be told from chance"
    if lower is not None and lower > 0:
        verdict = "more than chance explains"
    elif upper is not None and upper < 0:
        verdict = "it costs accuracy"
    return f"Of this the network adds {_estimate(figures, 'network_r2_gain')}: {verdict}."


def _estimate(figures: Mapping[str, Any], name: str) -> str:
    return with_bounds(*(figures.get(f"{name}{bound}") for bound in ("", "_lower_95", "_upper_95")))
