"""Monitoring of the serving champion: live skill and its limits, and drift of the market."""
