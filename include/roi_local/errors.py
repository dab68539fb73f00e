"""The errors of the local commands, each worded for the person at the terminal."""

from __future__ import annotations


class LocalError(Exception):
    """A local command cannot continue; its message is the one line shown."""
