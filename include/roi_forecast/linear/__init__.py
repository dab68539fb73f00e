"""The linear part of the next log ROI: what the context and an asset's own past say about it."""
