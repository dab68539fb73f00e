"""Forecasts of all horizons with their bounds, from a fitted model and rows."""
