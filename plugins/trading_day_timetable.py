"""Registers the schedule of the daily DAG, so that Airflow can read it back from its database."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.trading_days import TradingDayTimetable


class TradingDayTimetablePlugin(AirflowPlugin):
    """A run for each reference session."""

    name = "trading_day_timetable"
    timetables = [TradingDayTimetable]  # noqa: RUF012, as Airflow declares it
