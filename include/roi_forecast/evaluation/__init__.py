"""Scores of a candidate beside its baselines, and the gate that decides on its promotion."""
