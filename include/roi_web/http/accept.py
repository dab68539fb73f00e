"""Which of several media types a client prefers."""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header


def preferred(accept: str | None, offered: Sequence[str]) -> str | None:
    """Return the offered media type that an Accept header prefers.

    Args:
        accept: The header; without one everything is accepted.
        offered: Media types; of equally preferred ones the first counts.

    Returns:
        None if the client accepts none of them.
    """
    if not accept or not accept.strip():
        return offered[0]
    # Parameters such as a charset choose nothing here.
    ranges = MIMEAccept(
        (kind.partition(";")[0].strip(), quality) for kind, quality in parse_accept_header(accept)
    )
    best = max(offered, key=ranges.quality)
    return best if ranges.quality(best) > 0 else None
