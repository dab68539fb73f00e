"""TCP ports of 127.0.0.1 on which local servers listen."""

from __future__ import annotations

import socket

from roi_local.errors import LocalError


def require_free_port(port: int) -> None:
    """Check that a server can listen on a TCP port of 127.0.0.1.

    Raises:
        LocalError: Another program does, or the system forbids it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); "
                "choose another one with PORT=..."
            ) from None
