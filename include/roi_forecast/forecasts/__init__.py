"""Forecasts of the serving version, stored for people to query."""
