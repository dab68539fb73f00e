"""How pictures look, whatever a person has told matplotlib in a file of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib


@contextmanager
def default_style() -> Iterator[None]:
    """Draw in matplotlib's own style; what was set before is set again afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
