"""Charts as inline SVG: pure functions from records to markup."""
