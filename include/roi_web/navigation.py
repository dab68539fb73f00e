"""What the navigation of the pages shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tab:
    """An entry of the navigation.

    Attributes:
        path: Below the application, without a slash at its start.
        title: In the navigation, and of the page in the browser.
        position: The entries are sorted by it.
    """

    path: str
    title: str
    position: int
