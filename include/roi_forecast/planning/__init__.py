"""The checks and decisions of a run before any work starts."""
