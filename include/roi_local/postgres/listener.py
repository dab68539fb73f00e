"""A TCP port on which PostgreSQL listens besides its socket, for programs that know no sockets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roi_local.postgres.process import SOCKET_NAME

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Listener:
    """A TCP port of 127.0.0.1.

    Attributes:
        port: The port.
        database: The only database that can be reached there.
        login: The only login that gets in, by its password.
    """

    port: int
    database: str
    login: str

    def prepare(self, data_directory: Path) -> dict[str, str]:
        """Prepare the folder of a server that is about to start; returns the server's settings."""
        # In place of initdb's, which trusts every TCP connection from this machine.
        (data_directory / "pg_hba.conf").write_text(
            f"local all all trust\nhost {self.database} {self.login} {ADDRESS}/32 scram-sha-256\n",
            encoding="utf-8",
        )
        # A socket's name has the port in it, but clients of the socket look for the usual one.
        socket = data_directory / f".s.PGSQL.{self.port}"
        if socket.name != SOCKET_NAME:
            usual = data_directory / SOCKET_NAME
            usual.unlink(missing_ok=True)
            usual.symlink_to(socket.name)
        return {"listen_addresses": ADDRESS, "port": str(self.port)}


def listening_port(data_directory: Path) -> int | None:
    """Return the TCP port of a running server; None if it does not listen on one."""
    # PostgreSQL writes its port to the fourth line, and what it listens on to the sixth.
    lines = (data_directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    return int(lines[3]) if lines[5].strip() else None
