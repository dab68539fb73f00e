"""Checks that prices pass before they are used."""
