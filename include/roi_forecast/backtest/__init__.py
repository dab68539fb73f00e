"""The walk through the past: folds, forecasts and their scores."""
