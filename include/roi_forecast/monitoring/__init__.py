"""Watching what serves: live skill as outcomes arrive, limits, and drift of the market."""
