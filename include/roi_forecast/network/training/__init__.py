"""Training a network: batches, progress, checkpoints and the result."""
