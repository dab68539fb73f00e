"""CSV exports: the combined price and ROI table of a run, and any view."""
