"""Runs: their resolved parameters, their claims of a model name, and attempts at their stages."""
