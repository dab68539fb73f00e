"""Stand-ins for the base images, for machines that reach Debian's packages and no image registry.

They have the names that Dockerfile and docker-compose.yaml use. Programs come from Debian and from
the project's own PostgreSQL wheel, so their releases are other ones than those of the names.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from containers.engine import Engine
from roi_local.environment import REPOSITORY
from roi_local.postgres.programs import program

logger = logging.getLogger(__name__)

_DEBIAN = "roi-stand-in-debian:bookworm"
_FOLDER = Path(__file__).with_name("images")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def base_image_names() -> Mapping[str, str]:
    """Return the names of the base images: of python, postgres and redis."""
    text = (REPOSITORY / "Dockerfile").read_text() + (
        REPOSITORY / "docker-compose.yaml"
    ).read_text()
    return {
        kind: re.findall(rf"\b{kind}:[\w.-]+bookworm", text)[0]
        for kind in ("python", "postgres", "redis")
    }


def provide_base_images(engine: Engine) -> None:
    """Make every base image unless somebody has put the real one there."""
    for kind, name in base_image_names().items():
        has_image = engine.docker("images", "--quiet", name).strip()
        if has_image and not _is_stand_in(engine, name):
            continue
        started = monotonic()
        with TemporaryDirectory(prefix="roi-base-image-") as folder:
            context = Path(folder, kind)
            shutil.copytree(_FOLDER / kind, context)
            if kind == "python":
                _add_wheels(context / "wheels")
            if kind == "postgres":
                _add_postgres(context / "wheel")
            _provide_debian(engine)
            engine.docker("build", "--quiet", "--network", "host", "--tag", name, str(context))
        logger.info("base image %s: made in %.0f s", name, monotonic() - started)


def _is_stand_in(engine: Engine, name: str) -> bool:
    label = '{{index .Config.Labels "roi-stand-in"}}'
    return engine.docker("image", "inspect", "--format", label, name).strip() == "true"


def _provide_debian(engine: Engine) -> None:
    if engine.docker("images", "--quiet", _DEBIAN).strip():
        return
    with TemporaryDirectory(prefix="roi-debian-") as folder:
        archive = Path(folder, "debian.tar")
        command = ["mmdebstrap", "--quiet", "--variant=apt", "--include=ca-certificates,tzdata"]
        command += [
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
        ]
        if _CERTIFICATES.is_file():
            command += [f'--customize-hook=cp {_CERTIFICATES} "$1"{_CERTIFICATES}']
        subprocess.run([*command, "bookworm", str(archive)], check=True, timeout=900)
        engine.docker("import", str(archive), _DEBIAN)


def _add_wheels(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    packages = ["pip==24.0", "setuptools==79.0.1", "wheel==0.45.1"]
    subprocess.run([*command, str(folder), *packages], check=True, timeout=600)


def _add_postgres(folder: Path) -> None:
    installation = program("postgres").parent.parent
    package = installation.parent
    shutil.copytree(installation, folder / package.name / installation.name, symlinks=True)
    shutil.copytree(f"{package}.libs", folder / f"{package.name}.libs")
