"""Forecasts of the return on investment of stocks and commodities.

Data flows one way through the packages: market, features, model, evaluation, registry, forecasts.
Nothing in here imports Airflow.
"""
