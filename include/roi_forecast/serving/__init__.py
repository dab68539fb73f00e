"""Which version serves, and its stored forecasts."""
