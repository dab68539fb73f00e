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
    champion_checks,
    extractions,
    gate_decisions,
    model_versions,
    price_checks,
    promotions,
    runs,
)
from roi_forecast.evaluation.metrics import written
from roi_forecast.evaluation.overall_figures import LEFT_OUT, without
from roi_forecast.market.missing_columns import lines_about, missed
from roi_forecast.reading.context import read_context
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.serving.fallback import fallback_author

_MAX_LISTED = 40
_EXTREMES = 10
"""Of more forecasts than are listed, only so many of the highest and of the lowest are."""

_NUMBER = re.compile(r"[+-]?[\d.]*")

_forecast_path = table(
    "latest_forecast_path",
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


def print_report(engine: Engine, run_id: str, out: TextIO) -> None:
    """Print the verdict on a run's candidate, the newest forecasts, and a query for them.

    Args:
        engine: Market database.
        run_id: A finished run.
        out: Where to print.
    """
    with engine.connect() as connection:
        model_name = connection.scalar(select(runs.c.model_name).where(runs.c.run_id == run_id))
        if model_name is None:
            print(f"Run {run_id} left nothing in the market database.", file=out)
            return
        _print_missing_prices(connection, run_id, out)
        _print_verdict(connection, run_id, out)
        _print_fallback(connection, run_id, out)
        _print_alerts(connection, run_id, out)
        _print_context(connection, model_name, out)
        _print_forecasts(connection, model_name, out)


def _print_missing_prices(connection: Connection, run_id: str, out: TextIO) -> None:
    failed = connection.execute(
        select(extractions.c.symbol, extractions.c.error)
        .where(extractions.c.run_id == run_id, extractions.c.status == "failed")
        .order_by(extractions.c.symbol)
    ).all()
    if failed:
        print("\nNot extracted:", file=out)
        for row in failed:
            print(f"  {row.error}", file=out)
    fetched = connection.execute(
        select(extractions.c.symbol, extractions.c.context, extractions.c.missing_columns)
        .where(extractions.c.run_id == run_id)
        .order_by(extractions.c.symbol)
    )
    lacking = lines_about(
        {row.symbol: missed(row.missing_columns, context=row.context) for row in fetched}
    )
    if lacking:
        print("\nBars lack columns:", file=out)
        for line in lacking:
            print(f"  {line}", file=out)
    check = price_checks.c
    dropped = connection.scalars(
        select(check.message)
        .where(check.run_id == run_id, check.severity == "drop_asset", ~check.passed)
        .order_by(check.symbol)
    ).all()
    if dropped:
        print("\nLeft out of this run:", file=out)
        for message in dropped:
            print(f"  {message}", file=out)


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
    outcome = "passed" if verdict.passed else "was rejected by"
    label = " (trained on simulated prices)" if verdict.source == "simulated" else ""
    print(f"\nVersion {verdict.version_id}{label} {outcome} the gate.", file=out)
    lines = [
        (
            row.rule,
            _number(row.threshold),
            _number(row.observed),
            "passed" if row.passed else "failed",
            "" if row.decisive else "shown, does not decide",
        )
        for row in rows
        if row is not verdict
    ]
    print_table(lines, out, ("rule", "threshold", "observed", "", ""))
    if not verdict.passed:
        print(f"  {verdict.reason}", file=out)
    figures = verdict.metrics
    left_out = figures.get(LEFT_OUT, {})
    gap, open_to_close = (
        _signed(figures.get(f"{part}_r2_against_zero")) for part in ("gap", "open_to_close")
    )
    print(
        f"Test R2 of the smoothed ROI, most of which is known a day ahead: "
        f"{written(figures.get('r2'))}{without(left_out.get('r2', {}))}.\n"
        f"Test R2 of the next-day ROI against zero: "
        f"{_estimate(figures, 'next_day_r2_against_zero')}; opening gap {gap}, open to close "
        f"{open_to_close}{_direction(figures.get('directional_accuracy'))}.\n"
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
    check = champion_checks.c
    below = connection.execute(
        select(check.version_id, check.horizon, check.reason)
        .where(check.run_id == run_id, check.state == "below")
        .order_by(check.horizon, check.measure)
    ).all()
    if below:
        print(f"\nChampion {below[0].version_id} is below its limit:", file=out)
        for row in below:
            print(f"  horizon {row.horizon}: {row.reason}", file=out)


def _print_forecasts(connection: Connection, model_name: str, out: TextIO) -> None:
    forecast = _forecast_path.c
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
            f"{row.predicted_roi_pct:+.4f}",
            "" if row.gap_roi_pct is None else f"{row.gap_roi_pct:+.4f}",
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
        "farthest",
        "80 % interval",
    )
    columns = len(header) if path[-1].horizon > 1 else 6
    print_table([line[:columns] for line in lines], out, header[:columns])
    question = (
        "SELECT symbol, target_date, predicted_roi_pct FROM roi.latest_predictions "  # nosec B608 # noqa: S608, it is shown, not run
        f"WHERE model_name = '{model_name}' ORDER BY predicted_roi_pct DESC"
    )
    print(f'\nAsk for them with:\n  make sql QUERY="{question}"', file=out)


def _print_context(connection: Connection, model_name: str, out: TextIO) -> None:
    rows = read_context(connection, model_name)
    if not rows:
        return
    moves = ", ".join(f"{row.symbol} {row.move_pct:+.2f}" for row in rows)
    print(
        f"\nContext between the last two publication times, ROI in percent: {moves}.\n"
        f"It adds {sum(row.added_pct for row in rows):+.3f} on average. The part in the opening "
        "gap cannot be earned by buying at the close before.",
        file=out,
    )
    missing = [row.symbol for row in rows if row.missing]
    if missing:
        print(f"Made without a bar that was due of {', '.join(missing)}.", file=out)


def _interval(lower: float, upper: float) -> str:
    return f"{lower:+.2f} to {upper:+.2f}"


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
    lower, upper = (_signed(figures.get(f"{name}_{bound}_95")) for bound in ("lower", "upper"))
    return f"{_signed(figures.get(name))} (95 %: {lower} to {upper})"


def _signed(value: Any) -> str:
    return "undefined" if value is None else f"{value:+.4f}"


def _direction(share: Any) -> str:
    # Forecasts that are all zero have no direction.
    return "" if share is None else f"; direction right in {100 * share:.1f} %"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4f}"
