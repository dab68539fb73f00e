"""What a run will do, decided before any work starts."""
