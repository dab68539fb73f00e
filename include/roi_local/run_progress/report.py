"""What a person wants to know after a run: verdict, fit, alerts and the newest forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

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
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.serving.fallback import fallback_author

_forecast_path = table(
    "latest_forecast_path",
    column("model_name"),
    column("symbol"),
    column("as_of_date"),
    column("target_date"),
    column("horizon"),
    column("predicted_roi_pct"),
    column("lower_80_pct"),
    column("upper_80_pct"),
    schema=SCHEMA,
)


def print_report(engine: Engine, run_id: str, out: TextIO) -> None:
    """Print the verdict on a run's candidate, the forecasts that serve, and how to ask for them.

    Args:
        engine: Market database.
        run_id: A run that ended.
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
    print_table(("rule", "threshold", "observed", "", ""), lines, out)
    if not verdict.passed:
        print(f"  {verdict.reason}", file=out)
    figures = verdict.metrics
    left_out = figures.get(LEFT_OUT, {})
    print(
        f"Test R2 of the smoothed ROI, most of which is known a day ahead: "
        f"{written(figures.get('r2'))}{without(left_out.get('r2', {}))}.\n"
        f"Test R2 of the plain next-day ROI, which is not: {written(figures.get('next_day_r2'))}; "
        f"direction right in {_percent(figures.get('directional_accuracy'))}.",
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
    lines = [
        (
            row.symbol,
            str(row.as_of_date),
            str(row.target_date),
            f"{row.predicted_roi_pct:+.4f}",
            _interval(row.lower_80_pct, row.upper_80_pct),
            str(farthest[row.symbol].target_date),
            _interval(farthest[row.symbol].lower_80_pct, farthest[row.symbol].upper_80_pct),
        )
        for row in rows
    ]
    header = ("symbol", "as of", "target", "forecast", "80 % interval", "farthest", "80 % interval")
    shown = len(header) if path[-1].horizon > 1 else 5
    print_table(header[:shown], [line[:shown] for line in lines], out)
    question = (
        "SELECT symbol, target_date, predicted_roi_pct FROM roi.latest_predictions "  # nosec B608 # noqa: S608, it is shown, not run
        f"WHERE model_name = '{model_name}' ORDER BY predicted_roi_pct DESC"
    )
    print(f'\nAsk for them with:\n  make sql QUERY="{question}"', file=out)


def _interval(lower: float, upper: float) -> str:
    return f"{lower:+.2f} to {upper:+.2f}"


def print_table(header: Sequence[str], lines: Iterable[Sequence[str]], out: TextIO) -> None:
    """Print lines in columns under a header."""
    rows = [header, *lines]
    widths = [max(len(row[position]) for row in rows) for position in range(len(header))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"  {'  '.join(cells)}".rstrip(), file=out)


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4f}"


def _percent(value: Any) -> str:
    return "an unknown share" if value is None else f"{100 * value:.1f} %"
