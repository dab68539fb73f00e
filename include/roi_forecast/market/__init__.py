"""Prices: where they come from, which of them are believed, and how they are stored."""
