from __future__ import annotations

import io

from sqlalchemy import insert, select, update

from daily_run import NOW
from monitoring.live_forecasts import forget, past, publish
from plain_words import not_for_people
from roi_forecast.database.tables import gate_decisions, model_versions, predictions, price_checks
from roi_forecast.monitoring.monitor import monitor_champion
from roi_forecast.serving.fallback import replace_damaged_champion
from roi_forecast.serving.promotion import promote_model
from roi_local.run_progress.report import print_report
from serving_version import MODEL_NAME, Served


def report(served: Served) -> str:
    out = io.StringIO()
    print_report(served.engine, served.outcome.run.run_id, out)
    return out.getvalue()


def test_the_report_names_the_fit_and_no_alert_where_there_is_none(served: Served) -> None:
    text = report(served)
    metrics = served.champion.metrics
    assert f"Fit: {metrics['fit_verdict']}; {metrics['fit_advice']}." in text
    assert "below its limit" not in text


def test_the_report_has_no_word_of_the_program_and_no_number_that_is_none(served: Served) -> None:
    assert not_for_people(report(served)) == []
    metrics = {**dict.fromkeys(served.champion.metrics), "left_out": {}}
    with served.engine.begin() as connection:
        connection.execute(update(model_versions).values(metrics=metrics))
        connection.execute(update(gate_decisions).values(observed=None))
    text = report(served)
    assert "undefined (no bounds)" in text
    assert not_for_people(text) == []


def test_the_report_gives_the_next_day_skill_with_bounds_and_what_the_network_adds(
    served: Served,
) -> None:
    def text(**figures: float | None) -> str:
        metrics = {**served.champion.metrics, **figures}
        with served.engine.begin() as connection:
            connection.execute(update(model_versions).values(metrics=metrics))
        return report(served)

    known = {
        "next_day_r2_against_zero": 0.024,
        "next_day_r2_against_zero_lower_95": 0.01,
        "next_day_r2_against_zero_upper_95": 0.038,
        "gap_r2_against_zero": 0.21,
        "open_to_close_r2_against_zero": -0.0004,
        "directional_accuracy": 0.53,
        "network_factor": 0.1,
        "network_r2_gain": 0.0002,
    }
    of_network = {"network_r2_gain_lower_95": -0.001, "network_r2_gain_upper_95": 0.0012}
    found = text(**known, **of_network)
    assert (
        "Next-day R2 against zero on test rows: +0.0240 (95 %: +0.0100 to +0.0380); opening gap "
        "+0.2100, open to close -0.0004; direction right in 53.0 %.\n"
        "Of this the network adds +0.0002 (95 %: -0.0010 to +0.0012): nothing that can be told "
        "from chance.\n"
    ) in found
    assert "more than chance explains." in text(
        **known, network_r2_gain_lower_95=0.0001, network_r2_gain_upper_95=0.0003
    )
    assert "it costs accuracy." in text(
        **known, network_r2_gain_lower_95=-0.0003, network_r2_gain_upper_95=-0.0001
    )
    few = text(**known, **of_network, directions_share=0.031)
    assert "direction right in 53.0 % of the 3.1 % of forecasts that have one.\n" in few
    silent = text(**{**known, **of_network, "network_factor": 0.0, "directional_accuracy": None})
    assert "The network adds nothing: the linear part is published alone." in silent
    assert "direction" not in silent


def test_the_report_says_what_the_context_did_and_what_is_missing(served: Served) -> None:
    effects = {
        "^A": {"move_pct": 1.25, "added_pct": 0.5},
        "^B": {"move_pct": -3.0, "added_pct": -0.2},
    }
    with served.engine.begin() as connection:
        connection.execute(
            update(predictions)
            .where(predictions.c.horizon == 1)
            .values(context=effects, missing_context=["^B"])
        )
    assert (
        "\nContext between the last two publication times, ROI in percent: ^A +1.25, ^B -3.00.\n"
        "It adds +0.300 on average. The part in the opening gap cannot be earned by buying at the "
        "close before.\n"
        "Made without a bar that was due of ^B.\n"
    ) in report(served)
    with served.engine.begin() as connection:
        connection.execute(update(predictions).values(context=None, missing_context=[]))
    assert "Context between" not in report(served)


def test_the_report_shows_the_next_session_and_the_farthest_horizon(served: Served) -> None:
    text = report(served)
    (line,) = (line for line in text.splitlines() if line.split()[:1] == ["GC=F"])
    assert "2024-12-30" in line
    # Twenty sessions after 2024-12-27.
    assert "2025-01-24" in line
    assert len(line) <= 110
    (header,) = (line for line in text.splitlines() if line.split()[:1] == ["symbol"])
    assert "20 sessions ahead" in header


def test_the_report_of_a_universe_of_hundreds_lists_its_extremes(served: Served) -> None:
    known = select(predictions).where(predictions.c.symbol == "GC=F")
    with served.engine.begin() as connection:
        rows = connection.execute(known).mappings().all()
        more = [
            {**row, "symbol": f"A{number:03}", "predicted_roi_pct": number - 100.5}
            for number in range(198)
            for row in rows
        ]
        connection.execute(insert(predictions), more)
    lines = [line.split() for line in report(served).splitlines()]
    symbols = [line[0] for line in lines if line and line[0].startswith("A") and line[0] != "Ask"]
    assert symbols == [f"A{number:03}" for number in (*range(197, 187, -1), *range(9, -1, -1))]
    assert ["(180", "between)"] in lines


def test_the_report_names_assets_that_are_left_out_of_the_run_and_of_its_figures(
    served: Served,
) -> None:
    check = {
        "run_id": served.outcome.run.run_id,
        "source": "simulated",
        "symbol": "EEE",
        "check_name": "movement",
        "severity": "drop_asset",
        "passed": False,
        "message": "EEE: its price stands still",
        "checked_at": NOW,
    }
    metrics = {**served.champion.metrics, "left_out": {"r2": {"FFF": "halted"}}}
    with served.engine.begin() as connection:
        connection.execute(insert(price_checks), [check, {**check, "passed": True}])
        connection.execute(update(model_versions).values(metrics=metrics))
    text = report(served)
    assert text.count("EEE: its price stands still") == 1
    assert f"{metrics['r2']:.4f}; without FFF (halted)." in text


def test_the_report_names_a_champion_below_its_limit_and_why(served: Served) -> None:
    forget(served)
    known = past(served, 40)
    publish(served, known.targets, -known.actual, 1e-9, 1e-9)
    monitor_champion(served.engine, served.outcome.run)
    text = report(served)
    assert f"Champion {served.champion.version_id} is below its limit:" in text
    assert "  next-day 80 % coverage 0.0000, with 97.5 % confidence below" in text


def test_the_report_names_a_damaged_champion_and_what_serves_in_its_place(served: Served) -> None:
    first = served.champion.version_id
    promote_model(served.engine, served.models, served.add_candidate("next"), "next", "test")
    (served.champion_directory / "model.keras").unlink()
    replace_damaged_champion(served.engine, served.models, MODEL_NAME, "run")
    text = report(served)
    assert "champion next is damaged: " in text
    assert f"{first} serves in its place." in text
