"""One run: its resolved configuration, and the checks before any work."""
