"""Training a network: batches, progress, checkpoints and what came of it."""
