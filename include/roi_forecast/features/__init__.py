"""From stored prices to a versioned dataset: ROI, log, smoothing, scaling, windows."""
