"""Docker Compose: the plugin of this machine, or else the one that Debian packages.

docker-compose 1.29, which Debian 12 has, is no longer maintained and does not know `name:`. Debian
13 has version 2 in a package that depends on the C library alone, so it also runs on Debian 12.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from containers.engine import Engine

logger = logging.getLogger(__name__)

_SOURCE = """Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
_PLUGIN = Path("usr/libexec/docker/cli-plugins/docker-compose")


def provide_compose(engine: Engine) -> None:
    """Make `docker compose` work for an engine's clients.

    Raises:
        subprocess.CalledProcessError: Neither this machine nor Debian has it.
    """
    plugin = Path(engine.environment["DOCKER_CONFIG"]) / "cli-plugins" / "docker-compose"
    version = ["docker", "compose", "version", "--short"]
    answer = subprocess.run(version, env=engine.environment, capture_output=True, text=True)
    if answer.returncode != 0:
        _unpack_plugin(plugin)
        answer = subprocess.run(version, env=engine.environment, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
    logger.info("Docker Compose %s", answer.stdout.strip())


def _unpack_plugin(plugin: Path) -> None:
    with TemporaryDirectory(prefix="roi-compose-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("sources", "lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        (folder / "sources" / "trixie.sources").write_text(_SOURCE)
        options = [
            "Dir::Etc::SourceList=/dev/null",
            f"Dir::Etc::SourceParts={folder}/sources",
            f"Dir::State::Lists={folder}/lists",
            f"Dir::Cache={folder}/cache",
            "Acquire::Languages=none",
        ]
        apt = ["apt-get", "--quiet=2", *(word for option in options for word in ("-o", option))]
        for command in ([*apt, "update"], [*apt, "download", "docker-compose"]):
            subprocess.run(command, cwd=folder, check=True, timeout=300, capture_output=True)
        (package,) = folder.glob("docker-compose_*.deb")
        subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True)
        plugin.parent.mkdir(parents=True, exist_ok=True)
        (folder / _PLUGIN).rename(plugin)


@dataclass(frozen=True)
class Compose:
    """The services of a clone's docker-compose.yaml.

    Attributes:
        engine: Runs them.
        clone: The folder with the file and its .env.
    """

    engine: Engine
    clone: Path

    def run(
        self, *arguments: str, input_bytes: bytes | None = None, seconds: float = 600
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `docker compose` in the clone, as a person does there."""
        return subprocess.run(
            ["docker", "compose", *arguments],
            cwd=self.clone,
            env=self.engine.environment,
            input=input_bytes,
            capture_output=True,
            timeout=seconds,
        )

    def __call__(self, *arguments: str, seconds: float = 600) -> str:
        """Run `docker compose` and return what it prints.

        Raises:
            AssertionError: It failed.
        """
        answer = self.run(*arguments, seconds=seconds)
        output = answer.stdout.decode(errors="replace")
        assert answer.returncode == 0, (
            f"docker compose {' '.join(arguments)}: {output[-2000:]}"
            f"{answer.stderr.decode(errors='replace')[-4000:]}"
        )
        return output

    def shell(self, command: str, revision: str, seconds: float = 900) -> str:
        """Run a documented command line in the clone.

        Raises:
            AssertionError: It failed.
        """
        answer = subprocess.run(
            ["sh", "-ec", command],
            cwd=self.clone,
            env={**self.engine.environment, "PWD": str(self.clone), "CODE_REVISION": revision},
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert answer.returncode == 0, f"{command}: {answer.stdout[-2000:]}{answer.stderr[-4000:]}"
        return answer.stdout

    def build(self, services: Sequence[str], revision: str) -> None:
        """Build the images of services with the machine's network, for their packages."""
        override = self.clone / ".building.yaml"
        lines = [f"  {name}: {{build: {{network: host}}}}" for name in services]
        override.write_text("\n".join(["services:", *lines, ""]))
        files = ("--file", "docker-compose.yaml", "--file", override.name)
        answer = subprocess.run(
            ["docker", "compose", *files, "build", *services],
            cwd=self.clone,
            env={**self.engine.environment, "CODE_REVISION": revision},
            capture_output=True,
            text=True,
            timeout=3600,
        )
        override.unlink()
        assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
