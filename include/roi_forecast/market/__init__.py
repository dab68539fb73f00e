"""Prices: fetching, checking and storing them, and the calendars of their exchanges."""
