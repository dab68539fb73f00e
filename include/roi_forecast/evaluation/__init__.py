"""Scores of a candidate next to its baselines, and the gate that decides on its promotion."""
