"""Forecasts of the return on investment (ROI) of stocks and commodities.

Data flows one way through the packages: market, features, network, forecaster, registry,
evaluation, gate, serving, monitoring. Nothing in here imports Airflow.
"""
